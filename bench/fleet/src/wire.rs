//! A message in the form of its OCPP version.

use std::fmt::{self, Write as _};

use crate::message::{Action, Content};
use crate::plan::Version;
use crate::{ocpp2, ocpp16};

/// A message with all that its form needs.
pub struct Saying<'a> {
    pub content: Content,
    pub at_ms: u64,
    pub serial_number: &'a str,
    /// The message's number: no other message of the station has it.
    pub sequence: u64,
    /// The start of the process, which makes ids differ from those of earlier processes.
    pub epoch_s: u64,
    pub samples: usize,
    pub token: Token<'a>,
    /// 1.6: of the transaction that the message belongs to.
    pub transaction: i64,
    pub connector: u16,
    /// 2.x: the number of the connector's session.
    pub session: u32,
    pub remote_start_id: Option<i64>,
}

/// The id token of a message.
#[derive(Clone, Copy)]
pub enum Token<'a> {
    Given(&'a str),
    /// One connector's own.
    Own {
        prefix: &'a str,
        station: u64,
        connector: u16,
    },
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(token) => formatter.write_str(token),
            Self::Own { prefix, station, connector } => write!(formatter, "{prefix}{station:06}-{connector}"),
        }
    }
}

/// A CALL as text, and its id.
pub fn call(version: Version, saying: &Saying<'_>) -> (String, String) {
    let digits = match version {
        Version::V16 => ocpp16::id_digits(saying.content, saying.transaction),
        Version::V201 | Version::V21 => None,
    };
    let width = digits.unwrap_or(20).saturating_sub(10);
    let id = format!("{:010}{:0width$}", saying.epoch_s, saying.sequence);
    let mut text = String::with_capacity(room(saying));
    // writing to a String cannot fail
    let _ = write!(text, r#"[2,"{id}","#);
    let _ = match version {
        Version::V16 => ocpp16::write(&mut text, saying),
        Version::V201 | Version::V21 => ocpp2::write(&mut text, saying),
    };
    text.push(']');
    (id, text)
}

/// About as many bytes as the message has, so that its text is allocated once.
const fn room(saying: &Saying<'_>) -> usize {
    match saying.content {
        Content::Started { .. } | Content::Metered { .. } | Content::Stopped { .. } => 400 + saying.samples * 144,
        _ => 300,
    }
}

/// The action that a message goes by in a version.
pub const fn action(version: Version, content: Content) -> Action {
    match (content, version) {
        (Content::Boot { .. }, _) => Action::BootNotification,
        (Content::Heartbeat, _) => Action::Heartbeat,
        (Content::Status { .. }, _) => Action::StatusNotification,
        (Content::Authorize { .. }, _) => Action::Authorize,
        (Content::Started { .. }, Version::V16) => Action::StartTransaction,
        (Content::Stopped { .. }, Version::V16) => Action::StopTransaction,
        (Content::Metered { .. }, Version::V16) => Action::MeterValues,
        (Content::Metered { charging: false, .. }, _) => Action::MeterValues,
        (Content::Started { .. } | Content::Stopped { .. } | Content::Metered { .. }, _) => Action::TransactionEvent,
        (Content::FirmwareStatus, _) => Action::FirmwareStatusNotification,
        (Content::DiagnosticsStatus, Version::V16) => Action::DiagnosticsStatusNotification,
        (Content::DiagnosticsStatus | Content::LogStatus, _) => Action::LogStatusNotification,
    }
}
