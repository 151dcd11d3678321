//! OCPP-J messages we send, as WebSocket frames.

use crate::deflate::{Agreement, deflate};
use crate::frame::{Opcode, encode};
use crate::json::write;

/// Shorter messages are not worth compressing.
const COMPRESS_FROM: usize = 256;

/// How text leaves a connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outbound {
    /// Set if permessage-deflate was agreed.
    pub deflate: Option<Agreement>,
}

impl Outbound {
    /// `[2, id, action, payload]`.
    #[must_use]
    pub fn call(&self, message_id: &str, action: &str, payload: &str) -> Vec<u8> {
        let mut text = begin(2, message_id, action.len() + payload.len());
        write::string(&mut text, action);
        text.push(',');
        self.finish(text, payload)
    }

    /// `[3, id, payload]`.
    #[must_use]
    pub fn result(&self, message_id: &str, payload: &str) -> Vec<u8> {
        self.finish(begin(3, message_id, payload.len()), payload)
    }

    /// `[4 or 5, id, code, description, details]`.
    #[must_use]
    pub fn error(&self, message_type: u8, message_id: &str, code: &str, description: &str, details: &str) -> Vec<u8> {
        let mut text = begin(message_type, message_id, code.len() + description.len() + details.len());
        write::string(&mut text, code);
        text.push(',');
        write::string(&mut text, description);
        text.push(',');
        self.finish(text, details)
    }

    fn finish(&self, mut text: String, last: &str) -> Vec<u8> {
        text.push_str(last);
        text.push(']');
        if text.len() > COMPRESS_FROM
            && let Some(small) = self.deflate.and_then(|agreement| deflate(text.as_bytes(), agreement))
        {
            return encode(Opcode::Text, true, &small);
        }
        encode(Opcode::Text, false, text.as_bytes())
    }
}

fn begin(message_type: u8, message_id: &str, room: usize) -> String {
    let mut text = String::with_capacity(message_id.len() + room + 24);
    text.push('[');
    text.push(char::from(b'0' + message_type));
    text.push(',');
    write::string(&mut text, message_id);
    text.push(',');
    text
}
