//! What is counted: by a thread as it happens, and of all threads together.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::clock::micros;
use crate::histogram::Latencies;
use crate::message::Action;
use crate::outbox::InFlight;

pub type Counts = BTreeMap<String, u64>;

pub fn count(counts: &mut Counts, name: &str) {
    match counts.get_mut(name) {
        Some(found) => *found += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}

pub fn add(counts: &mut Counts, other: Counts) {
    for (name, number) in other {
        *counts.entry(name).or_default() += number;
    }
}

/// How things stand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauges {
    pub connected: usize,
    pub accepted: usize,
    pub charging: usize,
    /// Messages that are due and not answered yet.
    pub waiting: usize,
    pub sent: u64,
    pub answered: u64,
    pub errors: u64,
    /// Stations that were never accepted yet.
    pub unaccepted: usize,
    /// Connectors whose first session has not begun yet.
    pub unsettled: usize,
}

impl Gauges {
    pub const fn add(&mut self, other: &Self) {
        self.connected += other.connected;
        self.accepted += other.accepted;
        self.charging += other.charging;
        self.waiting += other.waiting;
        self.sent += other.sent;
        self.answered += other.answered;
        self.errors += other.errors;
        self.unaccepted += other.unaccepted;
        self.unsettled += other.unsettled;
    }
}

/// What happened to connections since the last result.
#[derive(Debug, Default)]
pub struct Connections {
    pub connect: Latencies,
    pub accepted_after: Latencies,
    pub cuts: Counts,
    pub connect_failures: Counts,
    pub reconnects: u64,
    pub commands_answered: u64,
    pub faults: Counts,
}

impl Connections {
    pub fn add(&mut self, other: Self) {
        self.connect.add(&other.connect);
        self.accepted_after.add(&other.accepted_after);
        add(&mut self.cuts, other.cuts);
        add(&mut self.connect_failures, other.connect_failures);
        self.reconnects += other.reconnects;
        self.commands_answered += other.commands_answered;
        add(&mut self.faults, other.faults);
    }
}

/// One second of a run.
#[derive(Debug, Default)]
pub struct Second {
    pub sent: u64,
    pub answered: u64,
    pub latencies: Latencies,
}

/// The messages of one run.
#[derive(Debug)]
pub struct RunTally {
    pub number: u32,
    began: Instant,
    pub sent: u64,
    pub answered: u64,
    pub resent: u64,
    pub dropped: u64,
    /// Due, and neither answered nor given up.
    pub open: u64,
    pub errors: Counts,
    latencies: [Latencies; Action::ALL.len()],
    /// The same from when the message left, without its wait behind earlier ones of its own station.
    answering: [Latencies; Action::ALL.len()],
    second: usize,
    now: Second,
    /// Seconds that are over, by their number.
    over: Vec<(usize, Second)>,
}

impl RunTally {
    pub fn new(number: u32, began: Instant) -> Self {
        Self {
            number,
            began,
            sent: 0,
            answered: 0,
            resent: 0,
            dropped: 0,
            open: 0,
            errors: Counts::new(),
            latencies: Default::default(),
            answering: Default::default(),
            second: 0,
            now: Second::default(),
            over: Vec::new(),
        }
    }

    /// The second that this instant falls into becomes the present one.
    fn turn(&mut self, at: Instant) {
        let second = usize::try_from(at.saturating_duration_since(self.began).as_secs()).unwrap_or(usize::MAX);
        if second > self.second {
            self.over.push((self.second, std::mem::take(&mut self.now)));
            self.second = second;
        }
    }

    /// Seconds that are over and were not taken yet.
    pub fn take_over(&mut self, at: Instant) -> Vec<(usize, Second)> {
        self.turn(at);
        std::mem::take(&mut self.over)
    }

    /// All that is left of the seconds.
    pub fn take_rest(&mut self) -> Vec<(usize, Second)> {
        self.over.push((self.second, std::mem::take(&mut self.now)));
        std::mem::take(&mut self.over)
    }

    /// Of each action that was answered.
    pub fn latencies(&self) -> impl Iterator<Item = (Action, &Latencies)> {
        Action::ALL.into_iter().zip(&self.latencies).filter(|(_, latencies)| latencies.count() > 0)
    }

    /// Of each action that was answered, from when the message left.
    pub fn answering(&self) -> impl Iterator<Item = (Action, &Latencies)> {
        Action::ALL.into_iter().zip(&self.answering).filter(|(_, latencies)| latencies.count() > 0)
    }

    pub fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.resent += other.resent;
        self.dropped += other.dropped;
        self.open += other.open;
        add(&mut self.errors, other.errors);
        for (own, other) in self.latencies.iter_mut().zip(&other.latencies) {
            own.add(other);
        }
        for (own, other) in self.answering.iter_mut().zip(&other.answering) {
            own.add(other);
        }
    }
}

/// All that one thread counts. A message counts for a run by the run's number; 0 is none.
#[derive(Debug, Default)]
pub struct Tally {
    pub gauges: Gauges,
    pub connections: Connections,
    pub run: Option<RunTally>,
    /// Answers since the last look.
    pub recent: Latencies,
}

impl Tally {
    fn run(&mut self, number: u32) -> Option<&mut RunTally> {
        self.run.as_mut().filter(|run| run.number == number)
    }

    pub fn due(&mut self, run: u32) {
        self.gauges.waiting += 1;
        if let Some(run) = self.run(run) {
            run.open += 1;
        }
    }

    pub fn sent(&mut self, run: u32, at: Instant) {
        self.gauges.sent += 1;
        if let Some(run) = self.run(run) {
            run.turn(at);
            run.sent += 1;
            run.now.sent += 1;
        }
    }

    pub fn resent(&mut self, run: u32) {
        if let Some(run) = self.run(run) {
            run.resent += 1;
        }
    }

    pub fn answered(&mut self, call: &InFlight, at: Instant) {
        let (run, place) = (call.message.run, call.action as usize);
        let latency = micros(at.saturating_duration_since(call.message.due));
        self.gauges.waiting = self.gauges.waiting.saturating_sub(1);
        self.gauges.answered += 1;
        self.recent.record(latency);
        if let Some(run) = self.run(run) {
            run.turn(at);
            run.open = run.open.saturating_sub(1);
            run.answered += 1;
            run.now.answered += 1;
            run.now.latencies.record(latency);
            if let Some(latencies) = run.latencies.get_mut(place) {
                latencies.record(latency);
            }
            if let Some(latencies) = run.answering.get_mut(place) {
                latencies.record(micros(at.saturating_duration_since(call.sent)));
            }
        }
    }

    /// A message has come to its end with an error.
    pub fn failed(&mut self, run: u32, error: &str) {
        self.gauges.waiting = self.gauges.waiting.saturating_sub(1);
        if let Some(run) = self.run(run) {
            run.open = run.open.saturating_sub(1);
        }
        self.error(run, error);
    }

    /// Something went wrong that ends no message.
    pub fn error(&mut self, run: u32, error: &str) {
        self.gauges.errors += 1;
        if let Some(run) = self.run(run) {
            count(&mut run.errors, error);
        }
    }

    /// A message was given up because there is no connection, or no room for it.
    pub fn dropped(&mut self, run: u32) {
        self.gauges.waiting = self.gauges.waiting.saturating_sub(1);
        if let Some(run) = self.run(run) {
            run.open = run.open.saturating_sub(1);
            run.dropped += 1;
        }
    }
}
