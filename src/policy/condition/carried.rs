//! A condition on its way to another process: its text, and Cedar's form as it was rewritten.
//! It is built from these again, and not checked anew.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Condition;

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&*self.text, self.body.to_string()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Condition, D::Error> {
        let (text, body) = <(String, String)>::deserialize(deserializer)?;
        let body: Value = serde_json::from_str(&body).map_err(D::Error::custom)?;
        Condition::build(text.into(), body).map_err(D::Error::custom)
    }
}
