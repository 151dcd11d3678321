//! The messages of OCPP 2.0.1; those of 2.1 differ from them by optional fields only, which no station of the fleet sends.
//! Connector n of a station is EVSE n with connector 1.

use std::fmt::Write as _;

use crate::clock::stamp;
use crate::message::{Content, Reading, Status, StopReason};
use crate::readings::SAMPLES;
use crate::wire::Saying;

/// The action and the payload of a message. Nothing of it needs to be escaped: the plan and the CSMS's tokens are checked.
pub fn write(text: &mut String, saying: &Saying<'_>) -> std::fmt::Result {
    let at = stamp(saying.at_ms);
    let token = saying.token;
    match saying.content {
        Content::Boot { triggered } => write!(
            text,
            r#""BootNotification",{{"chargingStation":{{"model":"Fleet","vendorName":"Open-CSMS","serialNumber":"{:.25}","firmwareVersion":"1.0"}},"reason":"{}"}}"#,
            saying.serial_number,
            if triggered { "Triggered" } else { "PowerUp" }
        ),
        Content::Heartbeat => text.write_str(r#""Heartbeat",{}"#),
        Content::Status { connector, status } => write!(
            text,
            r#""StatusNotification",{{"timestamp":"{at}","connectorStatus":"{}","evseId":{connector},"connectorId":1}}"#,
            if status == Status::Available { "Available" } else { "Occupied" }
        ),
        Content::Authorize { .. } => {
            write!(text, r#""Authorize",{{"idToken":{{"idToken":"{token}","type":"ISO14443"}}}}"#)
        }
        Content::Started { connector, reading } => {
            let trigger = if saying.remote_start_id.is_some() { "RemoteStart" } else { "Authorized" };
            event(text, saying, "Started", trigger, reading)?;
            text.push_str(r#","chargingState":"Charging""#);
            if let Some(number) = saying.remote_start_id {
                write!(text, r#","remoteStartId":{number}"#)?;
            }
            write!(
                text,
                r#"}},"evse":{{"id":{connector},"connectorId":1}},"idToken":{{"idToken":"{token}","type":"ISO14443"}},"meterValue":["#
            )?;
            meter_value(text, saying, reading, "Transaction.Begin")?;
            text.write_str("]}")
        }
        Content::Metered { connector, reading, triggered, charging } => {
            let context = if triggered { "Trigger" } else { "Sample.Periodic" };
            if charging {
                event(text, saying, "Updated", if triggered { "Trigger" } else { "MeterValuePeriodic" }, reading)?;
                text.push_str(r#","chargingState":"Charging"},"meterValue":["#);
            } else {
                write!(text, r#""MeterValues",{{"evseId":{connector},"meterValue":["#)?;
            }
            meter_value(text, saying, reading, context)?;
            text.write_str("]}")
        }
        Content::Stopped { reading, reason, .. } => {
            let (stopped, trigger) = match reason {
                StopReason::Local => ("Local", "StopAuthorized"),
                StopReason::Remote => ("Remote", "RemoteStop"),
                StopReason::Deauthorized => ("DeAuthorized", "Deauthorized"),
            };
            event(text, saying, "Ended", trigger, reading)?;
            write!(text, r#","chargingState":"Idle","stoppedReason":"{stopped}"}},"#)?;
            if reason == StopReason::Local {
                write!(text, r#""idToken":{{"idToken":"{token}","type":"ISO14443"}},"#)?;
            }
            text.push_str(r#""meterValue":["#);
            meter_value(text, saying, reading, "Transaction.End")?;
            text.write_str("]}")
        }
        Content::FirmwareStatus => text.write_str(r#""FirmwareStatusNotification",{"status":"Idle"}"#),
        // 2.x has no diagnostics, and nothing asks for their status
        Content::DiagnosticsStatus | Content::LogStatus => {
            text.write_str(r#""LogStatusNotification",{"status":"Idle"}"#)
        }
    }
}

/// A TransactionEvent up to and with the transaction's id.
fn event(text: &mut String, saying: &Saying<'_>, kind: &str, trigger: &str, reading: Reading) -> std::fmt::Result {
    write!(
        text,
        r#""TransactionEvent",{{"eventType":"{kind}","timestamp":"{}","triggerReason":"{trigger}","seqNo":{},"transactionInfo":{{"transactionId":"{}-{}-{}""#,
        stamp(saying.at_ms),
        reading.seq_no,
        saying.epoch_s,
        saying.connector,
        saying.session
    )
}

fn meter_value(text: &mut String, saying: &Saying<'_>, reading: Reading, context: &str) -> std::fmt::Result {
    write!(text, r#"{{"timestamp":"{}","sampledValue":["#, stamp(saying.at_ms))?;
    for (place, sample) in SAMPLES.iter().take(saying.samples).enumerate() {
        text.push_str(if place == 0 { r#"{"value":"# } else { r#",{"value":"# });
        match sample.value {
            Some(value) => text.push_str(value),
            None => write!(text, "{}", reading.register_wh)?,
        }
        text.push_str(r#","context":""#);
        text.push_str(context);
        text.push_str(r#"","measurand":""#);
        text.push_str(sample.measurand);
        if let Some(phase) = sample.phase {
            text.push_str(r#"","phase":""#);
            text.push_str(phase);
        }
        text.push_str(r#"","location":""#);
        text.push_str(sample.location);
        text.push_str(r#"","unitOfMeasure":{"unit":""#);
        text.push_str(sample.unit);
        text.push_str(r#""}}"#);
    }
    text.write_str("]}")
}
