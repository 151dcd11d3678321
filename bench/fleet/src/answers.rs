//! What a station answers to the commands of a CSMS: accepting and valid, from a table where nothing depends on the command.

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::connector::{Connector, Phase};
use crate::message::Content;
use crate::plan::{Version, is_plain};
use crate::world::World;

type Table = HashMap<String, Box<RawValue>>;

const LONGEST_TOKEN: usize = 36;

/// The answers that are always the same.
pub struct Answers {
    v16: Table,
    v201: Table,
    v21: Table,
}

impl Answers {
    /// # Errors
    /// A table is not valid JSON.
    pub fn load() -> Result<Self, serde_json::Error> {
        Ok(Self {
            v16: serde_json::from_str(include_str!("../answers/ocpp1.6.json"))?,
            v201: serde_json::from_str(include_str!("../answers/ocpp2.0.1.json"))?,
            v21: serde_json::from_str(include_str!("../answers/ocpp2.1.json"))?,
        })
    }

    fn get(&self, version: Version, action: &str) -> Option<&RawValue> {
        let found = match version {
            Version::V16 => self.v16.get(action),
            Version::V201 => self.v201.get(action),
            Version::V21 => self.v21.get(action).or_else(|| self.v201.get(action)),
        };
        found.map(|answer| &**answer)
    }
}

/// What a command causes once it is answered.
#[derive(Debug, PartialEq)]
pub enum Effect {
    Nothing,
    Begin {
        place: usize,
        token: Box<str>,
        remote_start_id: Option<i64>,
    },
    Stop(u16),
    Say(Content),
    /// A StatusNotification of one connector, or of all.
    States(Option<u16>),
    /// A reading of one connector, or of all.
    Meter(Option<u16>),
}

#[derive(Debug)]
pub struct Answer {
    pub text: String,
    pub effect: Effect,
}

/// The answer to a CALL of the CSMS.
pub fn answer(
    world: &World,
    version: Version,
    connectors: &[Connector],
    id: &str,
    action: &str,
    payload: &RawValue,
) -> Answer {
    let id = Value::from(id);
    if let Some(payload) = world.answers.get(version, action) {
        return Answer { text: format!("[3,{id},{}]", payload.get()), effect: Effect::Nothing };
    }
    let request = serde_json::from_str::<Value>(payload.get()).unwrap_or_default();
    let command = Command { version, connectors, request: &request, epoch_s: world.clock.epoch_s() };
    match command.decide(action) {
        Some((payload, effect)) => Answer { text: format!("[3,{id},{payload}]"), effect },
        None => Answer {
            text: format!(r#"[4,{id},"NotImplemented","not known to this station",{{}}]"#),
            effect: Effect::Nothing,
        },
    }
}

struct Command<'a> {
    version: Version,
    connectors: &'a [Connector],
    request: &'a Value,
    epoch_s: u64,
}

impl Command<'_> {
    /// None: no such action.
    fn decide(&self, action: &str) -> Option<(Value, Effect)> {
        let is_16 = self.version == Version::V16;
        match action {
            "RemoteStartTransaction" if is_16 => Some(self.start("connectorId", self.text("idTag"), None)),
            "RemoteStopTransaction" if is_16 => {
                let wanted = self.number("transactionId");
                Some(self.stop(|connector| wanted == Some(connector.transaction)))
            }
            "TriggerMessage" | "ExtendedTriggerMessage" if is_16 => Some(self.trigger(self.number("connectorId"))),
            _ if is_16 => None,
            "RequestStartTransaction" => {
                let token = self.request.pointer("/idToken/idToken").and_then(Value::as_str);
                Some(self.start("evseId", token, self.number("remoteStartId")))
            }
            "RequestStopTransaction" => Some(self.stop(|connector| self.is_transaction(connector))),
            "TriggerMessage" => Some(self.trigger(self.request.pointer("/evse/id").and_then(Value::as_i64))),
            "GetTransactionStatus" => {
                let running = |connector: &&Connector| connector.phase == Phase::Charging && self.is_transaction(connector);
                let answer = match self.text("transactionId") {
                    Some(_) => json!({"messagesInQueue": false, "ongoingIndicator": self.connectors.iter().any(|c| running(&c))}),
                    None => json!({"messagesInQueue": false}),
                };
                Some((answer, Effect::Nothing))
            }
            "GetVariables" => Some(self.each("getVariableData", "getVariableResult", |data| {
                json!({"attributeStatus": "Accepted", "attributeValue": "1", "component": data["component"], "variable": data["variable"]})
            })),
            "SetVariables" => Some(self.each("setVariableData", "setVariableResult", |data| {
                json!({"attributeStatus": "Accepted", "component": data["component"], "variable": data["variable"]})
            })),
            "SetVariableMonitoring" => Some(self.each("setMonitoringData", "setMonitoringResult", |data| {
                json!({
                    "id": 1, "status": "Accepted", "type": data["type"], "severity": data["severity"],
                    "component": data["component"], "variable": data["variable"],
                })
            })),
            "ClearVariableMonitoring" => {
                Some(self.each("id", "clearMonitoringResult", |number| json!({"status": "Accepted", "id": number})))
            }
            "ClearTariffs" if self.version == Version::V21 => {
                let named = self.each("tariffIds", "clearTariffsResult", |name| json!({"tariffId": name, "status": "Accepted"}));
                let all = || (json!({"clearTariffsResult": [{"status": "Accepted"}]}), Effect::Nothing);
                Some(if self.request["tariffIds"].is_array() { named } else { all() })
            }
            _ => None,
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.request.get(name).and_then(Value::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.request.get(name).and_then(Value::as_i64)
    }

    /// One result for each entry of a list.
    fn each(&self, list: &str, results: &str, result: impl Fn(&Value) -> Value) -> (Value, Effect) {
        let entries = self.request.get(list).and_then(Value::as_array);
        let found: Vec<Value> = entries.into_iter().flatten().map(result).collect();
        (json!({results: found}), Effect::Nothing)
    }

    fn is_transaction(&self, connector: &Connector) -> bool {
        let name = format!("{}-{}-{}", self.epoch_s, connector.number, connector.sessions);
        self.text("transactionId") == Some(name.as_str())
    }

    fn start(&self, field: &str, token: Option<&str>, remote_start_id: Option<i64>) -> (Value, Effect) {
        let wanted = self.number(field);
        let fits = |connector: &Connector| {
            connector.phase == Phase::Free && wanted.is_none_or(|wanted| wanted == i64::from(connector.number))
        };
        let place = self.connectors.iter().position(fits);
        let token = token.filter(|token| (1..=LONGEST_TOKEN).contains(&token.len()) && is_plain(token));
        match (place, token) {
            (Some(place), Some(token)) => {
                (json!({"status": "Accepted"}), Effect::Begin { place, token: token.into(), remote_start_id })
            }
            _ => (json!({"status": "Rejected"}), Effect::Nothing),
        }
    }

    fn stop(&self, is_it: impl Fn(&Connector) -> bool) -> (Value, Effect) {
        let found = self.connectors.iter().find(|connector| connector.phase == Phase::Charging && is_it(connector));
        match found {
            Some(connector) => (json!({"status": "Accepted"}), Effect::Stop(connector.number)),
            None => (json!({"status": "Rejected"}), Effect::Nothing),
        }
    }

    fn trigger(&self, connector: Option<i64>) -> (Value, Effect) {
        let only = match connector.filter(|number| *number != 0).map(u16::try_from) {
            None => None,
            Some(Ok(number)) if usize::from(number) <= self.connectors.len() => Some(number),
            Some(_) => return (json!({"status": "Rejected"}), Effect::Nothing),
        };
        let effect = match self.text("requestedMessage").unwrap_or_default() {
            "BootNotification" => Effect::Say(Content::Boot { triggered: true }),
            "Heartbeat" => Effect::Say(Content::Heartbeat),
            "StatusNotification" => Effect::States(only),
            "MeterValues" | "TransactionEvent" => Effect::Meter(only),
            "FirmwareStatusNotification" => Effect::Say(Content::FirmwareStatus),
            "DiagnosticsStatusNotification" => Effect::Say(Content::DiagnosticsStatus),
            "LogStatusNotification" => Effect::Say(Content::LogStatus),
            _ => return (json!({"status": "NotImplemented"}), Effect::Nothing),
        };
        (json!({"status": "Accepted"}), effect)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::clock::Clock;
    use crate::plan::Plan;

    const V16: &str = "CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache ClearChargingProfile \
        DataTransfer DeleteCertificate ExtendedTriggerMessage GetCompositeSchedule GetConfiguration GetDiagnostics \
        GetInstalledCertificateIds GetLocalListVersion GetLog InstallCertificate RemoteStartTransaction RemoteStopTransaction \
        ReserveNow Reset SendLocalList SetChargingProfile SignedUpdateFirmware TriggerMessage UnlockConnector UpdateFirmware";
    const V201: &str = "CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile ClearDisplayMessage \
        ClearVariableMonitoring CostUpdated CustomerInformation DataTransfer DeleteCertificate GetBaseReport GetChargingProfiles \
        GetCompositeSchedule GetDisplayMessages GetInstalledCertificateIds GetLocalListVersion GetLog GetMonitoringReport \
        GetReport GetTransactionStatus GetVariables InstallCertificate PublishFirmware RequestStartTransaction \
        RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SetDisplayMessage SetMonitoringBase \
        SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables TriggerMessage UnlockConnector \
        UnpublishFirmware UpdateFirmware";
    const V21: &str = "AFRRSignal AdjustPeriodicEventStream ChangeTransactionTariff ClearDERControl ClearTariffs GetDERControl \
        GetPeriodicEventStream GetTariffs NotifyAllowedEnergyTransfer NotifyWebPaymentStarted RequestBatterySwap SetDERControl \
        SetDefaultTariff UpdateDynamicSchedule UsePriorityCharging";

    fn reply(version: Version, action: &str, payload: &str) -> Value {
        let plan = Plan::parse(r#"{"url":"ws://x","groups":[{"name":"g","prefix":"T-","stations":1}]}"#).unwrap();
        let world = World::new(&plan, Clock::new(), Answers::load().unwrap());
        let connectors = [Connector::new(1, false, Instant::now())];
        let payload = RawValue::from_string(payload.to_owned()).unwrap();
        serde_json::from_str(&answer(&world, version, &connectors, "i\"d", action, &payload).text).unwrap()
    }

    #[test]
    fn every_command_of_every_version_is_answered() {
        let cases = [(Version::V16, vec![V16]), (Version::V201, vec![V201]), (Version::V21, vec![V201, V21])];
        for (version, actions) in cases {
            for action in actions.into_iter().flat_map(str::split_whitespace) {
                let answer = reply(version, action, "{}");
                assert_eq!((&answer[0], &answer[1]), (&json!(3), &json!("i\"d")), "{action}: {answer}");
            }
        }
    }

    #[test]
    fn commands_of_another_version_are_not_implemented() {
        for (version, action) in [
            (Version::V16, "GetVariables"),
            (Version::V201, "ChangeConfiguration"),
            (Version::V201, "ClearTariffs"),
            (Version::V21, "Nonsense"),
        ] {
            assert_eq!(reply(version, action, "{}")[2], "NotImplemented", "{action}");
        }
    }

    #[test]
    fn each_part_of_a_command_has_its_result() {
        let data = r#"{"getVariableData":[{"component":{"name":"A"},"variable":{"name":"a"}},{"component":{"name":"B"},"variable":{"name":"b"}}]}"#;
        let results = &reply(Version::V201, "GetVariables", data)[2]["getVariableResult"];
        assert_eq!(results.as_array().unwrap().len(), 2);
        assert_eq!(results[1]["component"]["name"], "B");
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let start = |payload| reply(Version::V16, "RemoteStartTransaction", payload)[2]["status"].clone();
        assert_eq!(start(r#"{"idTag":"X"}"#), "Accepted");
        assert_eq!(start(r#"{"idTag":"X","connectorId":2}"#), "Rejected");
        assert_eq!(start(r#"{"idTag":"a\"b"}"#), "Rejected");
        let trigger = |payload| reply(Version::V16, "TriggerMessage", payload)[2]["status"].clone();
        assert_eq!(trigger(r#"{"requestedMessage":"Heartbeat"}"#), "Accepted");
        assert_eq!(trigger(r#"{"requestedMessage":"StatusNotification","connectorId":9}"#), "Rejected");
        assert_eq!(trigger(r#"{"requestedMessage":"SignChargePointCertificate"}"#), "NotImplemented");
    }
}
