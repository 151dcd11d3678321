//! What all stations of one thread share.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::answers::Answers;
use crate::clock::{Clock, seconds};
use crate::message::{Content, Message};
use crate::plan::Plan;
use crate::tally::Tally;

/// A run: messages that are due in it count for it.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// From 1.
    pub number: u32,
    pub began: Instant,
    pub end: Instant,
    /// Divides all intervals.
    pub speed: f64,
}

pub struct World {
    pub clock: Clock,
    pub answers: Answers,
    pub tally: RefCell<Tally>,
    /// All stations were accepted and all first sessions have begun: notified once.
    pub ready: Notify,
    pub call_timeout: Duration,
    pub boot_retry_longest: Duration,
    run: Cell<Option<Run>>,
    was_ready: Cell<bool>,
}

impl World {
    pub fn new(plan: &Plan, clock: Clock, answers: Answers) -> Self {
        Self {
            clock,
            answers,
            tally: RefCell::default(),
            ready: Notify::new(),
            call_timeout: seconds(plan.call_timeout_s),
            boot_retry_longest: seconds(plan.boot_retry_longest_s),
            run: Cell::new(None),
            was_ready: Cell::new(false),
        }
    }

    pub fn set_run(&self, run: Option<Run>) {
        self.run.set(run);
    }

    /// The run that something at this time belongs to.
    pub fn run_at(&self, at: Instant) -> Option<Run> {
        self.run.get().filter(|run| run.began <= at && at < run.end)
    }

    /// A message that is due at this time, with the timestamp `at_ms`.
    pub fn message(&self, content: Content, due: Instant, at_ms: u64) -> Message {
        Message { content, due, at_ms, run: self.run_at(due).map_or(0, |run| run.number) }
    }

    /// One station or connector less is awaited before the fleet is ready, which it becomes once.
    pub fn tell_if_ready(&self) {
        let tally = self.tally.borrow();
        if tally.gauges.unaccepted == 0 && tally.gauges.unsettled == 0 && !self.was_ready.replace(true) {
            self.ready.notify_one();
        }
    }
}
