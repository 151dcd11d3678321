//! The plan: which stations there are, how they connect and what they do. What it does not know is an error that names the field.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// Stations that one process holds at most.
pub const MOST_STATIONS: usize = 60_000;
const MOST_CONNECTORS: u16 = 100;
/// As many values as [`crate::readings::SAMPLES`] knows.
const MOST_SAMPLES: usize = crate::readings::SAMPLES.len();
const LONGEST_S: f64 = 10_000_000.0;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// `ws://host:port/path` or `wss://…`; a station connects to url + "/" + its identity.
    pub url: String,
    #[serde(default = "first")]
    pub seed: u64,
    /// Threads that stations are spread over, each with its own event loop.
    #[serde(default = "one")]
    pub threads: usize,
    /// Local addresses that stations connect from, in turn.
    #[serde(default)]
    pub sources: Vec<IpAddr>,
    #[serde(default)]
    pub tls: Option<Tls>,
    #[serde(default)]
    pub connect: Connect,
    /// However long a CSMS asks a station to wait before it boots again, it waits no longer.
    #[serde(default = "minute")]
    pub boot_retry_longest_s: f64,
    /// A CALL without an answer for so long is an error.
    #[serde(default = "minute")]
    pub call_timeout_s: f64,
    pub groups: Vec<Group>,
    #[serde(default)]
    pub http: Vec<HttpLoad>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub ca: PathBuf,
    pub server_name: String,
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    #[serde(default)]
    pub key: Option<PathBuf>,
    #[serde(default)]
    pub resume: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connect {
    /// First attempts that fall due a second; none: all at once.
    pub per_second: Option<f64>,
    /// Handshakes under way at the same time.
    pub at_once: usize,
    pub timeout_s: f64,
    pub retry_first_s: f64,
    pub retry_longest_s: f64,
}

impl Default for Connect {
    fn default() -> Self {
        Self { per_second: None, at_once: 200, timeout_s: 30.0, retry_first_s: 1.0, retry_longest_s: 30.0 }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub name: String,
    pub prefix: String,
    #[serde(default = "first")]
    pub first: u64,
    pub stations: usize,
    #[serde(default)]
    pub password: Option<String>,
    /// What its BootNotification says; none: the first 25 characters of the identity. With client certificates, 2.x
    /// demands the name of the certificate here.
    #[serde(default)]
    pub serial_number: Option<String>,
    #[serde(default)]
    pub version: Version,
    #[serde(default)]
    pub behaviour: Behaviour,
    #[serde(default)]
    pub fault: Option<Fault>,
}

impl Group {
    /// The number of the station with this place in the group.
    pub const fn number(&self, place: usize) -> u64 {
        self.first.saturating_add(place as u64)
    }

    /// Its identity.
    pub fn identity(&self, place: usize) -> String {
        format!("{}{:06}", self.prefix, self.number(place))
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum Version {
    #[default]
    #[serde(rename = "ocpp1.6")]
    V16,
    #[serde(rename = "ocpp2.0.1")]
    V201,
    #[serde(rename = "ocpp2.1")]
    V21,
}

impl Version {
    /// The name of its WebSocket sub-protocol.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::V16 => "ocpp1.6",
            Self::V201 => "ocpp2.0.1",
            Self::V21 => "ocpp2.1",
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    pub heartbeat_s: Option<f64>,
    pub status_s: Option<f64>,
    pub status_at_start: bool,
    pub connectors: u16,
    /// Share of the group's connectors that have a session from the beginning.
    pub charging: f64,
    pub session_s: Option<f64>,
    pub pause_s: Option<f64>,
    /// 0: the next one as soon as the last is answered.
    pub meter_values_s: f64,
    pub samples: usize,
    /// Every connector has a token of its own that begins with this: a CSMS may refuse one that charges elsewhere.
    pub id_token: String,
    /// All connectors use `id_token` itself.
    pub one_token: bool,
    pub command_delay_ms: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            heartbeat_s: Some(300.0),
            status_s: None,
            status_at_start: true,
            connectors: 1,
            charging: 0.0,
            session_s: None,
            pause_s: None,
            meter_values_s: 60.0,
            samples: 5,
            id_token: "BENCH".to_owned(),
            one_token: false,
            command_delay_ms: 0,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    #[serde(default = "five")]
    pub every_s: f64,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    Garbage,
    WrongSchema,
    Flood,
    NotReading,
    SlowHandshake,
    NoPong,
    Reconnecting,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpLoad {
    pub name: String,
    pub url: String,
    pub path: String,
    #[serde(default = "get")]
    pub method: String,
    #[serde(default)]
    pub headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    pub body: Option<String>,
    pub per_second: f64,
    #[serde(default = "connections")]
    pub connections: usize,
    #[serde(default = "half_minute")]
    pub timeout_s: f64,
    #[serde(default = "ok")]
    pub expect: Vec<u16>,
}

const fn first() -> u64 {
    1
}
const fn one() -> usize {
    1
}
const fn five() -> f64 {
    5.0
}
const fn minute() -> f64 {
    60.0
}
const fn half_minute() -> f64 {
    30.0
}
const fn connections() -> usize {
    32
}
fn get() -> String {
    "GET".to_owned()
}
fn ok() -> Vec<u16> {
    vec![200]
}

/// What is wrong with a plan, and in which field.
#[derive(Debug, PartialEq, Eq)]
pub struct PlanError(String);

impl fmt::Display for PlanError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for PlanError {}

impl Plan {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// One line that names the first field that is wrong.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let plan: Self = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| PlanError(format!("{}: {}", error.path(), error.inner())))?;
        deserializer.end().map_err(|error| PlanError(format!(".: {error}")))?;
        plan.check()?;
        Ok(plan)
    }

    /// Stations of all groups.
    pub fn stations(&self) -> usize {
        self.groups.iter().map(|group| group.stations).sum()
    }

    fn check(&self) -> Result<(), PlanError> {
        let secure = self.url.starts_with("wss://");
        expect("url", secure || self.url.starts_with("ws://"), "must begin with ws:// or wss://")?;
        expect("url", !self.url.ends_with('/'), "must not end with /")?;
        expect("tls", !secure || self.tls.is_some(), "is needed for wss://")?;
        expect("tls", secure || self.tls.is_none(), "is given, but the url is not wss://")?;
        expect("threads", (1..=64).contains(&self.threads), "must be 1 to 64")?;
        seconds("boot_retry_longest_s", self.boot_retry_longest_s, 0.001)?;
        seconds("call_timeout_s", self.call_timeout_s, 0.001)?;
        if let Some(tls) = &self.tls {
            let both = tls.certificate.is_some() == tls.key.is_some();
            expect("tls.certificate", both, "and tls.key must be given together")?;
        }
        self.connect.check()?;
        expect("groups", !self.groups.is_empty(), "must not be empty")?;
        expect("groups", self.stations() <= MOST_STATIONS, format!("have more than {MOST_STATIONS} stations"))?;
        for (place, group) in self.groups.iter().enumerate() {
            group.check(&format!("groups[{place}]"))?;
        }
        for (place, load) in self.http.iter().enumerate() {
            load.check(&format!("http[{place}]"))?;
        }
        Ok(())
    }
}

impl Connect {
    fn check(&self) -> Result<(), PlanError> {
        let rate = self.per_second.is_none_or(|rate| rate.is_finite() && rate >= 0.001);
        expect("connect.per_second", rate, "must be at least 0.001 or null")?;
        expect(
            "connect.at_once",
            (1..=MOST_STATIONS).contains(&self.at_once),
            format!("must be 1 to {MOST_STATIONS}"),
        )?;
        seconds("connect.timeout_s", self.timeout_s, 0.001)?;
        seconds("connect.retry_first_s", self.retry_first_s, 0.001)?;
        seconds("connect.retry_longest_s", self.retry_longest_s, self.retry_first_s)
    }
}

impl Group {
    fn check(&self, path: &str) -> Result<(), PlanError> {
        let safe = |letter: char| letter.is_ascii_alphanumeric() || "*-_=+.@".contains(letter);
        let fits = self.prefix.len() <= 40 && self.prefix.chars().all(safe) && !self.prefix.starts_with('.');
        expect(format!("{path}.prefix"), fits, "must be at most 40 of A-Z a-z 0-9 * - _ = + . @")?;
        expect(format!("{path}.first"), self.first <= 1_000_000_000, "must be at most 1000000000")?;
        expect(format!("{path}.stations"), self.stations >= 1, "must be at least 1")?;
        let serial =
            self.serial_number.as_deref().is_none_or(|serial| (1..=25).contains(&serial.len()) && is_plain(serial));
        expect(format!("{path}.serial_number"), serial, "must be 1 to 25 of visible ASCII without \" and \\")?;
        let behaviour = &self.behaviour;
        let of = |field: &str| format!("{path}.behaviour.{field}");
        for (field, value) in [
            ("heartbeat_s", behaviour.heartbeat_s),
            ("status_s", behaviour.status_s),
            ("session_s", behaviour.session_s),
            ("pause_s", behaviour.pause_s),
        ] {
            value.map_or(Ok(()), |value| seconds(of(field), value, 0.001))?;
        }
        let share = (0.0..=1.0).contains(&behaviour.charging);
        expect(of("charging"), share, "must be 0 to 1")?;
        let connectors = (1..=MOST_CONNECTORS).contains(&behaviour.connectors);
        expect(of("connectors"), connectors, format!("must be 1 to {MOST_CONNECTORS}"))?;
        let interval = behaviour.meter_values_s == 0.0 || behaviour.meter_values_s >= 0.001;
        expect(of("meter_values_s"), interval, "must be 0 or at least 0.001")?;
        seconds(of("meter_values_s"), behaviour.meter_values_s, 0.0)?;
        let samples = (1..=MOST_SAMPLES).contains(&behaviour.samples);
        expect(of("samples"), samples, format!("must be 1 to {MOST_SAMPLES}"))?;
        // 1.6 has tokens of 20 characters, of which 14 tell connectors apart
        let most = if behaviour.one_token { 20 } else { 6 };
        let token = (1..=most).contains(&behaviour.id_token.len());
        expect(
            of("id_token"),
            token && is_plain(&behaviour.id_token),
            format!("must be 1 to {most} of visible ASCII without \" and \\"),
        )?;
        expect(of("command_delay_ms"), behaviour.command_delay_ms <= 600_000, "must be at most 600000")?;
        if let Some(fault) = &self.fault {
            seconds(format!("{path}.fault.every_s"), fault.every_s, 0.001)?;
        }
        Ok(())
    }
}

impl HttpLoad {
    fn check(&self, path: &str) -> Result<(), PlanError> {
        let address = self.url.starts_with("http://") && !self.url.ends_with('/');
        expect(format!("{path}.url"), address, "must begin with http:// and not end with /")?;
        expect(format!("{path}.path"), self.path.starts_with('/'), "must begin with /")?;
        let rate = self.per_second.is_finite() && (0.001..=100_000.0).contains(&self.per_second);
        expect(format!("{path}.per_second"), rate, "must be 0.001 to 100000")?;
        expect(format!("{path}.connections"), (1..=10_000).contains(&self.connections), "must be 1 to 10000")?;
        let method = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"].contains(&self.method.as_str());
        expect(format!("{path}.method"), method, "must be GET, POST, PUT, PATCH, DELETE or HEAD")?;
        expect(format!("{path}.expect"), !self.expect.is_empty(), "must not be empty")?;
        seconds(format!("{path}.timeout_s"), self.timeout_s, 0.001)
    }
}

/// It needs no escaping in JSON.
pub fn is_plain(text: &str) -> bool {
    text.chars().all(|letter| letter.is_ascii_graphic() && letter != '"' && letter != '\\')
}

fn seconds(path: impl fmt::Display, value: f64, least: f64) -> Result<(), PlanError> {
    expect(path, (least..=LONGEST_S).contains(&value), format!("must be {least} to {LONGEST_S} seconds"))
}

fn expect(path: impl fmt::Display, holds: bool, what: impl fmt::Display) -> Result<(), PlanError> {
    if holds { Ok(()) } else { Err(PlanError(format!("{path}: {what}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"{"url":"ws://127.0.0.1:9000/ocpp","groups":[{"name":"g","prefix":"B-","stations":3}]}"#;

    #[test]
    fn a_short_plan_has_defaults() {
        let plan = Plan::parse(PLAN).unwrap();
        assert_eq!((plan.threads, plan.connect.at_once, plan.stations()), (1, 200, 3));
        assert_eq!(plan.groups[0].identity(2), "B-000003");
        assert_eq!(plan.groups[0].version, Version::V16);
    }

    #[test]
    fn a_wrong_plan_names_the_field() {
        for (from, to, named) in [
            (r#""url""#, r#""uri""#, "uri"),
            ("ws://", "http://", "url"),
            (r#""stations":3"#, r#""stations":0"#, "groups[0].stations"),
            (r#""stations":3"#, r#""stations":"x""#, "groups[0].stations"),
            (r#""stations":3"#, r#""stations":3,"version":"ocpp1.5""#, "groups[0].version"),
            (r#""stations":3"#, r#""stations":3,"behaviour":{"sesion_s":1}"#, "sesion_s"),
            (r#""stations":3"#, r#""stations":3,"behaviour":{"charging":1.5}"#, "groups[0].behaviour.charging"),
            (
                r#""stations":3"#,
                r#""stations":3,"behaviour":{"meter_values_s":-1}"#,
                "groups[0].behaviour.meter_values_s",
            ),
            (r#""stations":3"#, r#""stations":3,"behaviour":{"id_token":"a\"b"}"#, "groups[0].behaviour.id_token"),
            (r#""stations":3"#, r#""stations":3,"fault":{"kind":"sulks"}"#, "groups[0].fault.kind"),
            (r#""groups""#, r#""connect":{"at_once":0},"groups""#, "connect.at_once"),
            (r#""groups""#, r#""sources":["nowhere"],"groups""#, "sources[0]"),
            (r#""groups""#, r#""tls":{"ca":"x","server_name":"y"},"groups""#, "tls"),
            (
                r#""groups""#,
                r#""http":[{"name":"a","url":"http://x","path":"y","per_second":1}],"groups""#,
                "http[0].path",
            ),
        ] {
            let wrong = PLAN.replace(from, to);
            let error = Plan::parse(&wrong).unwrap_err().to_string();
            assert!(error.contains(named), "{named}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
