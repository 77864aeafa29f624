//! Server-sent events: bytes as they come → whole events.

/// One event of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Empty: none was given.
    pub id: String,
    /// `message` when none was given.
    pub name: String,
    pub data: String,
}

/// Longest line and longest event; more means the other side is not an event stream of ours.
const BYTES_MAX: usize = 4 << 20;

/// The stream holds a line or an event past the bound.
#[derive(Debug, thiserror::Error)]
#[error("the event stream has an event of more than {BYTES_MAX} bytes")]
pub struct TooLong;

/// Keeps what has come until an event is whole.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    /// The last byte was a CR: a LF right after it belongs to the same line end.
    after_cr: bool,
}

impl Parser {
    /// Takes more bytes and gives the events that they complete.
    ///
    /// # Errors
    ///
    /// An event is too long.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            let is_second_half = *byte == b'\n' && self.after_cr;
            self.after_cr = *byte == b'\r';
            match byte {
                b'\n' if is_second_half => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.end_line(&String::from_utf8_lossy(&line)));
                }
                _ => self.line.push(*byte),
            }
            if self.line.len() + self.event.data.len() > BYTES_MAX {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let whole = std::mem::take(&mut self.has_data);
            return whole.then(|| Event {
                name: if event.name.is_empty() {
                    "message".to_owned()
                } else {
                    event.name
                },
                ..event
            });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = value.to_owned(),
            "event" => self.event.name = value.to_owned(),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            // A comment (empty field), a retry time, or a field of a later protocol.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests;
