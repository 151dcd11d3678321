//! The messages of OCPP 1.6.

use std::fmt::Write as _;

use crate::clock::stamp;
use crate::message::{Content, Reading, Status, StopReason};
use crate::readings::SAMPLES;
use crate::wire::Saying;

/// So many values of a reading name their format, as bench/frames.py has it.
const WITH_FORMAT: usize = 2;
/// Digits of the id of a MeterValues message beyond those of its transaction, so that all messages have one size.
const DIGITS: usize = 32;

/// The id's digits, which make up for what varies in the size of a message with readings: 728 bytes with 5 values.
pub fn id_digits(content: Content, transaction: i64) -> Option<usize> {
    let Content::Metered { connector, .. } = content else { return None };
    let digits = |number: i64| number.checked_ilog10().map_or(1, |log| log as usize + 1);
    Some(DIGITS.saturating_sub(digits(transaction) + digits(i64::from(connector)) - 1))
}

/// The action and the payload of a message. Nothing of it needs to be escaped: the plan and the CSMS's tokens are checked.
pub fn write(text: &mut String, saying: &Saying<'_>) -> std::fmt::Result {
    let at = stamp(saying.at_ms);
    let token = saying.token;
    match saying.content {
        Content::Boot { .. } => write!(
            text,
            r#""BootNotification",{{"chargePointVendor":"Open-CSMS","chargePointModel":"Fleet","chargePointSerialNumber":"{:.25}","firmwareVersion":"1.0"}}"#,
            saying.serial_number
        ),
        Content::Heartbeat => text.write_str(r#""Heartbeat",{}"#),
        Content::Status { connector, status } => write!(
            text,
            r#""StatusNotification",{{"connectorId":{connector},"errorCode":"NoError","status":"{}","timestamp":"{at}"}}"#,
            status_name(status)
        ),
        Content::Authorize { .. } => write!(text, r#""Authorize",{{"idTag":"{token}"}}"#),
        Content::Started { connector, reading } => write!(
            text,
            r#""StartTransaction",{{"connectorId":{connector},"idTag":"{token}","meterStart":{},"timestamp":"{at}"}}"#,
            reading.register_wh
        ),
        Content::Metered { connector, reading, triggered, charging } => {
            write!(text, r#""MeterValues",{{"connectorId":{connector},"#)?;
            if charging {
                write!(text, r#""transactionId":{},"#, saying.transaction)?;
            }
            write!(text, r#""meterValue":[{{"timestamp":"{at}","sampledValue":["#)?;
            sampled_values(text, reading, saying.samples, if triggered { "Trigger" } else { "Sample.Periodic" })?;
            text.write_str("]}]}")
        }
        Content::Stopped { reading, reason, .. } => {
            write!(
                text,
                r#""StopTransaction",{{"meterStop":{},"timestamp":"{at}","transactionId":{},"reason":"{}""#,
                reading.register_wh,
                saying.transaction,
                reason_name(reason)
            )?;
            if reason == StopReason::Local {
                write!(text, r#","idTag":"{token}""#)?;
            }
            text.write_char('}')
        }
        Content::FirmwareStatus => text.write_str(r#""FirmwareStatusNotification",{"status":"Idle"}"#),
        Content::DiagnosticsStatus => text.write_str(r#""DiagnosticsStatusNotification",{"status":"Idle"}"#),
        Content::LogStatus => text.write_str(r#""LogStatusNotification",{"status":"Idle"}"#),
    }
}

fn sampled_values(text: &mut String, reading: Reading, samples: usize, context: &str) -> std::fmt::Result {
    for (place, sample) in SAMPLES.iter().take(samples).enumerate() {
        text.push_str(if place == 0 { r#"{"value":""# } else { r#",{"value":""# });
        match sample.value {
            Some(value) => text.push_str(value),
            None => write!(text, "{:09}", reading.register_wh)?,
        }
        text.push_str(r#"","context":""#);
        text.push_str(context);
        text.push_str(if place < WITH_FORMAT { r#"","format":"Raw","measurand":""# } else { r#"","measurand":""# });
        text.push_str(sample.measurand);
        if let Some(phase) = sample.phase {
            text.push_str(r#"","phase":""#);
            text.push_str(phase);
        }
        text.push_str(r#"","location":""#);
        text.push_str(sample.location);
        text.push_str(r#"","unit":""#);
        text.push_str(sample.unit);
        text.push_str(r#""}"#);
    }
    Ok(())
}

const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Available => "Available",
        Status::Preparing => "Preparing",
        Status::Charging => "Charging",
        Status::Finishing => "Finishing",
    }
}

const fn reason_name(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Local => "Local",
        StopReason::Remote => "Remote",
        StopReason::Deauthorized => "DeAuthorized",
    }
}
