//! What is wrong with a message, in words that may go back to the sender.

use crate::dialect::Dialect;
use crate::json::write;

/// Longest path kept: names come from the peer.
const MAX_PATH: usize = 255;

/// The first failed check of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Row of the table of checks.
    pub row: u8,
    /// Error code in the spelling of the version.
    pub code: &'static str,
    /// JSON pointer into the payload; empty for the envelope.
    pub path: String,
    /// Machine-readable name of the broken rule.
    pub rule: &'static str,
    /// One line for people: path, rule and limit.
    pub description: String,
}

impl Fault {
    /// A fault at `path` that breaks `rule`; `what` says what is demanded.
    #[must_use]
    pub fn new(dialect: Dialect, row: u8, path: String, rule: &'static str, what: &str) -> Self {
        let mut path = path;
        truncate(&mut path, MAX_PATH);
        let mut description = if path.is_empty() { what.to_owned() } else { format!("{path}: {what}") };
        truncate(&mut description, MAX_PATH);
        Self { row, code: dialect.code(row), path, rule, description }
    }

    /// The `details` object of a CALLERROR about this fault.
    #[must_use]
    pub fn details(&self) -> String {
        let mut out = String::with_capacity(32 + self.path.len());
        out.push_str("{\"path\":");
        write::string(&mut out, &self.path);
        out.push_str(",\"rule\":");
        write::string(&mut out, self.rule);
        out.push('}');
        out
    }
}

/// Cut `text` to at most `max` code points.
pub(crate) fn truncate(text: &mut String, max: usize) {
    if text.len() > max
        && let Some((at, _)) = text.char_indices().nth(max)
    {
        text.truncate(at);
    }
}
