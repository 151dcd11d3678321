//! What is written to the driver: one JSON object a line on standard output.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use serde::Serialize;

use crate::histogram::{Latencies, Report};
use crate::tally::Counts;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    Ready(Box<Ready>),
    Progress(Progress),
    Result(Box<Outcome>),
    /// An order that cannot be followed.
    Error {
        message: String,
    },
}

#[derive(Serialize)]
pub struct Ready {
    pub connected: usize,
    pub accepted: usize,
    pub charging: usize,
    pub seconds: f64,
    pub connect: Report,
    pub accepted_after: Report,
    pub connect_failures: Counts,
    pub cuts: Counts,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Connecting,
    Preparing,
    Idle,
    Running,
}

#[derive(Serialize)]
pub struct Progress {
    pub phase: Phase,
    pub elapsed_s: f64,
    pub connected: usize,
    pub accepted: usize,
    pub charging: usize,
    pub sent: u64,
    pub answered: u64,
    pub errors: u64,
    pub waiting: usize,
    pub cuts: Counts,
    pub connect_failures: Counts,
    #[serde(flatten)]
    pub times: Times,
}

/// Times of some answers in milliseconds.
#[derive(Clone, Copy, Serialize)]
pub struct Times {
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    max_ms: Option<f64>,
}

impl From<&Latencies> for Times {
    fn from(latencies: &Latencies) -> Self {
        Self { p50_ms: latencies.quantile_ms(0.5), p99_ms: latencies.quantile_ms(0.99), max_ms: latencies.max_ms() }
    }
}

#[derive(Serialize)]
pub struct SecondRow {
    pub t: usize,
    pub sent: u64,
    pub answered: u64,
    #[serde(flatten)]
    pub times: Times,
}

#[derive(Serialize)]
pub struct HttpOutcome {
    pub sent: u64,
    pub answered: u64,
    pub errors: Counts,
    pub latency: Report,
}

#[derive(Serialize)]
pub struct Outcome {
    pub name: String,
    pub partial: bool,
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub sent: u64,
    pub answered: u64,
    pub resent: u64,
    pub dropped: u64,
    pub unanswered: u64,
    pub errors: Counts,
    pub cuts: Counts,
    pub connect_failures: Counts,
    pub reconnects: u64,
    pub commands_answered: u64,
    pub faults: Counts,
    pub latency: BTreeMap<&'static str, Report>,
    /// From when messages left, where `latency` counts from when they were due.
    pub answering: BTreeMap<&'static str, Report>,
    pub connect: Report,
    pub accepted_after: Report,
    pub http: BTreeMap<String, HttpOutcome>,
    pub per_second: Vec<SecondRow>,
}

/// Writes a line.
///
/// # Errors
/// Nobody reads any more.
pub fn write(line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&text)?;
    output.flush()
}

/// To three decimals.
pub fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
