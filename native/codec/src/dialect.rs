//! What differs between OCPP versions at the RPC level: error code spelling and the answers to broken frames.

use serde::Deserialize;

/// RPC dialect of an OCPP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Dialect {
    #[serde(rename = "1.6")]
    V16,
    #[serde(rename = "2.0.1")]
    V201,
    #[serde(rename = "2.1")]
    V21,
}

/// Outbound error codes of 1.6; `Occurence` is spelled with one r on the wire.
const CODES_16: &[&str] = &[
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
];

/// Outbound error codes of 2.0.1 and 2.1.
const CODES_2X: &[&str] = &[
    "FormatViolation",
    "GenericError",
    "InternalError",
    "MessageTypeNotSupported",
    "NotImplemented",
    "NotSupported",
    "OccurrenceConstraintViolation",
    "PropertyConstraintViolation",
    "ProtocolError",
    "RpcFrameworkError",
    "SecurityError",
    "TypeConstraintViolation",
];

impl Dialect {
    /// Whether `code` may be sent in this dialect.
    #[must_use]
    pub fn has_code(self, code: &str) -> bool {
        let codes = if self == Self::V16 { CODES_16 } else { CODES_2X };
        codes.contains(&code)
    }

    /// Error code for a failed check, by row of the table of checks (1..=7 and 10..=16).
    #[must_use]
    pub fn code(self, row: u8) -> &'static str {
        let v16 = self == Self::V16;
        match row {
            10 => "NotImplemented",
            11 => "NotSupported",
            12 | 15 if v16 => "OccurenceConstraintViolation",
            12 | 15 => "OccurrenceConstraintViolation",
            13 if v16 => "FormationViolation",
            13 => "FormatViolation",
            14 => "TypeConstraintViolation",
            16 => "PropertyConstraintViolation",
            4 if !v16 => "MessageTypeNotSupported",
            _ if v16 => "FormationViolation",
            _ => "RpcFrameworkError",
        }
    }

    /// Whether frames without a usable message id are answered with id `-1` (rows 2, 3 and 5).
    #[must_use]
    pub fn answers_unreadable(self) -> bool {
        self != Self::V16
    }

    /// Whether an unknown message type is answered (F4: 2.0.1 only).
    #[must_use]
    pub fn answers_unknown_type(self) -> bool {
        self == Self::V201
    }

    /// Whether message types 5 (CALLRESULTERROR) and 6 (SEND) exist.
    #[must_use]
    pub fn has_send(self) -> bool {
        self == Self::V21
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_maps_to_a_code_of_its_own_version() {
        for dialect in [Dialect::V16, Dialect::V201, Dialect::V21] {
            for row in (1..=7).chain(10..=16) {
                assert!(dialect.has_code(dialect.code(row)), "{dialect:?} row {row}");
            }
        }
    }

    #[test]
    fn spelling_of_occurrence_differs() {
        assert_eq!(Dialect::V16.code(12), "OccurenceConstraintViolation");
        assert_eq!(Dialect::V201.code(15), "OccurrenceConstraintViolation");
    }
}
