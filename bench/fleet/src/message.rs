//! What a station says to the CSMS, before it has the form of an OCPP version.

use std::time::Instant;

/// An action that stations call, by its name on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    BootNotification,
    Heartbeat,
    StatusNotification,
    Authorize,
    StartTransaction,
    StopTransaction,
    MeterValues,
    TransactionEvent,
    FirmwareStatusNotification,
    DiagnosticsStatusNotification,
    LogStatusNotification,
}

impl Action {
    pub const ALL: [Self; 11] = [
        Self::BootNotification,
        Self::Heartbeat,
        Self::StatusNotification,
        Self::Authorize,
        Self::StartTransaction,
        Self::StopTransaction,
        Self::MeterValues,
        Self::TransactionEvent,
        Self::FirmwareStatusNotification,
        Self::DiagnosticsStatusNotification,
        Self::LogStatusNotification,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::BootNotification => "BootNotification",
            Self::Heartbeat => "Heartbeat",
            Self::StatusNotification => "StatusNotification",
            Self::Authorize => "Authorize",
            Self::StartTransaction => "StartTransaction",
            Self::StopTransaction => "StopTransaction",
            Self::MeterValues => "MeterValues",
            Self::TransactionEvent => "TransactionEvent",
            Self::FirmwareStatusNotification => "FirmwareStatusNotification",
            Self::DiagnosticsStatusNotification => "DiagnosticsStatusNotification",
            Self::LogStatusNotification => "LogStatusNotification",
        }
    }
}

/// The state of a connector in the words of 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Available,
    Preparing,
    Charging,
    Finishing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    Local,
    Remote,
    Deauthorized,
}

/// What was measured at one moment of a session. `seq_no` counts the events of a 2.x transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub seq_no: u32,
    pub register_wh: u32,
}

/// Connectors count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Boot {
        triggered: bool,
    },
    Heartbeat,
    Status {
        connector: u16,
        status: Status,
    },
    Authorize {
        connector: u16,
    },
    Started {
        connector: u16,
        reading: Reading,
    },
    /// `charging`: of a transaction; else of the connector alone.
    Metered {
        connector: u16,
        reading: Reading,
        triggered: bool,
        charging: bool,
    },
    Stopped {
        connector: u16,
        reading: Reading,
        reason: StopReason,
    },
    FirmwareStatus,
    DiagnosticsStatus,
    LogStatus,
}

impl Content {
    /// It belongs to a transaction: it outlives a cut of the connection.
    pub const fn is_transactional(self) -> bool {
        matches!(self, Self::Started { .. } | Self::Metered { charging: true, .. } | Self::Stopped { .. })
    }

    /// The connector that it is about.
    pub const fn connector(self) -> Option<u16> {
        match self {
            Self::Status { connector, .. }
            | Self::Authorize { connector }
            | Self::Started { connector, .. }
            | Self::Metered { connector, .. }
            | Self::Stopped { connector, .. } => Some(connector),
            _ => None,
        }
    }
}

/// A message with the time when it was due, from which its latency counts.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    pub content: Content,
    pub due: Instant,
    /// What its timestamp says: milliseconds of the epoch.
    pub at_ms: u64,
    /// The run that it counts for; 0: none.
    pub run: u32,
}
