//! Built-in policies among the others: each kept as a policy of the author `tyr`.

use super::assignments::{self, NewAssignment, TargetRow};
use super::changes::By;
use super::policies::{self, NewVersion, VersionRow};
use super::pool::{begin, commit};
use super::{Database, DbError};
use crate::model::verdict::Mode;
use crate::policy::builtin;
use crate::wire::rest::ApplyOutcome;

/// Author of what comes with Tyr. No token may have this name.
pub const AUTHOR: &str = "tyr";

/// What became of a built-in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// The policy is new, and holds on all hosts.
    Created,
    /// The database has this text, or a newer one.
    Known,
    /// A newer text took the place of an older one.
    Updated { version: u64 },
    /// Somebody edited the policy, so the text is kept as a version that does not hold.
    Kept { version: u64 },
}

/// The newest of `versions` that is a built-in text, newest first.
pub fn newest_text(versions: &[VersionRow]) -> Option<&VersionRow> {
    versions
        .iter()
        .find(|row| row.created_by == AUTHOR && row.rollback_of.is_none())
}

impl Database {
    /// Brings a built-in policy to the text of this server. It is assigned when it is made, and
    /// never again: whoever ends the assignment does without the policy.
    pub async fn seed_policy(&self, text: &NewVersion) -> Result<Seeded, DbError> {
        let by = By {
            who: AUTHOR.to_owned(),
            address: String::new(),
        };
        let mut client = self.client().await?;
        let transaction = begin(&mut client).await?;
        let Some(current) = policies::lock(&transaction, &text.name).await? else {
            let (_, outcome) = policies::apply(&transaction, &by, text, None, None).await?;
            if outcome != ApplyOutcome::Created {
                // Another server made it between the two statements, and knows this text or another.
                return Ok(Seeded::Known);
            }
            let everywhere = NewAssignment {
                policy: text.name.clone(),
                version: None,
                target: TargetRow::All,
                agent_types: Vec::new(),
                mode: Mode::Enforce,
            };
            assignments::put(&transaction, &by, &everywhere).await?;
            policies::bump(&transaction).await?;
            commit(transaction).await?;
            return Ok(Seeded::Created);
        };
        let versions = policies::versions(&transaction, &text.name).await?;
        let seeded = newest_text(&versions);
        let known = seeded.map_or(0, |row| builtin::number_of(&row.yaml));
        if known >= builtin::number_of(&text.yaml) {
            return Ok(Seeded::Known);
        }
        let upgraded =
            seeded.and_then(|row| builtin::upgraded(&text.yaml, &row.yaml, &current.yaml));
        let new = NewVersion {
            yaml: upgraded.clone().unwrap_or_else(|| text.yaml.clone()),
            ..text.clone()
        };
        let (version, _) = policies::apply(&transaction, &by, &new, None, None).await?;
        if upgraded.is_none() {
            let again = NewVersion {
                name: text.name.clone(),
                yaml: current.yaml,
                description: text.description.clone(),
                rules: current.rules,
            };
            let old = Some(current.version);
            policies::apply(&transaction, &by, &again, old, None).await?;
        }
        policies::bump(&transaction).await?;
        commit(transaction).await?;
        Ok(match upgraded {
            Some(_) => Seeded::Updated { version },
            None => Seeded::Kept { version },
        })
    }
}
