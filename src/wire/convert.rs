//! Between gRPC messages and the model: nothing is lost one way, and everything that the model
//! cannot hold is refused the other way.

pub mod to_model;
mod to_proto;

#[cfg(test)]
mod tests;

use prost::Message;

use crate::model::event::Event;

use super::proto;

/// A message that no daemon of this contract sends.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    #[error("the event is not a valid message: {0}")]
    Decode(#[from] prost::DecodeError),
    #[error("field `{0}` of the event is missing")]
    Missing(&'static str),
    #[error("field `{field}` of the event holds {value}, which this server does not know")]
    Unknown { field: &'static str, value: i32 },
    #[error("field `{0}` of the event is out of range")]
    Range(&'static str),
}

/// The bytes of `event` as they go into a spool and a `Record`.
pub fn encode_event(event: &Event) -> Vec<u8> {
    proto::Event::from(event).encode_to_vec()
}

/// The event in the bytes of a `Record`.
///
/// # Errors
///
/// The bytes are no event, or one that the model cannot hold.
pub fn decode_event(bytes: &[u8]) -> Result<Event, ConvertError> {
    Event::try_from(proto::Event::decode(bytes)?)
}
