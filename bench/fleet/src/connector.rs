//! A connector and the session at it.

use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::message::{Reading, Status};
use crate::readings::POWER_W;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No session.
    Free,
    /// The id token was sent to be checked.
    Authorizing,
    /// The start is on its way: from its answer on there is a transaction.
    Starting,
    Charging,
    /// The stop is on its way.
    Stopping,
}

/// When a session begins or ends: periods run only while a run lasts, at its speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Never,
    /// Seconds at speed 1 that are left, while no run lasts.
    Left(f64),
    At(Instant),
}

impl Change {
    pub fn begin_run(&mut self, now: Instant, speed: f64) {
        if let Self::Left(left) = *self {
            *self = Self::At(now + crate::clock::seconds(left / speed));
        }
    }

    pub fn end_run(&mut self, now: Instant, speed: f64) {
        if let Self::At(at) = *self {
            *self = Self::Left(at.saturating_duration_since(now).as_secs_f64() * speed);
        }
    }
}

#[derive(Clone, Debug)]
pub struct Connector {
    /// On the wire: from 1.
    pub number: u16,
    pub phase: Phase,
    pub change: Change,
    pub meter_at: Option<Instant>,
    /// A session begins once the station is accepted.
    pub begins: bool,
    /// It has a session from the beginning, and the fleet is not ready before that.
    pub awaited: bool,
    /// 1.6: what the CSMS gave the transaction.
    pub transaction: i64,
    /// How many sessions there were: 2.x transaction ids are made of it.
    pub sessions: u32,
    pub remote_start_id: Option<i64>,
    /// The token of a remote start; none: the group's.
    pub token: Option<Box<str>>,
    seq_no: u32,
    register_wh: f64,
    metered_at: Instant,
    stamped_ms: u64,
}

impl Connector {
    pub fn new(number: u16, begins: bool, now: Instant) -> Self {
        Self {
            number,
            phase: Phase::Free,
            change: Change::Never,
            meter_at: None,
            begins,
            awaited: begins,
            transaction: 0,
            sessions: 0,
            remote_start_id: None,
            token: None,
            seq_no: 0,
            register_wh: 0.0,
            metered_at: now,
            stamped_ms: 0,
        }
    }

    /// The state that a StatusNotification tells of it.
    pub const fn status(&self) -> Status {
        match self.phase {
            Phase::Free => Status::Available,
            Phase::Authorizing | Phase::Starting => Status::Preparing,
            Phase::Charging => Status::Charging,
            Phase::Stopping => Status::Finishing,
        }
    }

    /// A session takes the connector; its transaction starts once the token is accepted.
    pub fn occupy(&mut self, token: Option<Box<str>>, remote_start_id: Option<i64>) {
        self.phase = Phase::Authorizing;
        self.change = Change::Never;
        self.begins = false;
        self.token = token;
        self.remote_start_id = remote_start_id;
    }

    /// The first reading of a new transaction.
    pub fn start(&mut self, now: Instant) -> Reading {
        self.phase = Phase::Starting;
        self.sessions = self.sessions.wrapping_add(1);
        self.seq_no = 0;
        self.metered_at = now;
        Reading { seq_no: 0, register_wh: self.register() }
    }

    /// The next reading; power has flowed since the last one.
    pub fn measure(&mut self, at: Instant) -> Reading {
        let since = at.saturating_duration_since(self.metered_at);
        self.metered_at = self.metered_at.max(at);
        self.register_wh += POWER_W * since.as_secs_f64() / 3600.0;
        self.seq_no = self.seq_no.saturating_add(1);
        Reading { seq_no: self.seq_no, register_wh: self.register() }
    }

    /// What the register says, apart from any transaction.
    pub fn glance(&self) -> Reading {
        Reading { seq_no: 0, register_wh: self.register() }
    }

    /// A timestamp for this time that is later than the one before.
    pub fn stamp(&mut self, wall_ms: u64) -> u64 {
        self.stamped_ms = wall_ms.max(self.stamped_ms.saturating_add(1));
        self.stamped_ms
    }

    /// The connector is free; the next session begins after `pause` seconds at speed 1.
    pub fn free(&mut self, pause: Option<f64>) {
        self.phase = Phase::Free;
        self.meter_at = None;
        self.change = pause.map_or(Change::Never, Change::Left);
    }

    /// When something is due at it by itself, and whether that is the end or the beginning of a session.
    pub fn next_event(&self, clock: &Clock) -> Option<(Instant, bool)> {
        let change = if let Change::At(at) = self.change { Some((at, true)) } else { None };
        let meter = self.meter_at.map(|at| (at, false));
        [meter, change].into_iter().flatten().min().map(|(at, change)| (clock.tick(at), change))
    }

    /// A running period of readings: the first is due after `phase` of the interval.
    pub fn meter_from(&mut self, now: Instant, interval: Duration, phase: f64) {
        self.meter_at = Some(now + interval.mul_f64(phase));
    }

    fn register(&self) -> u32 {
        // a register has nine digits on the wire
        (self.register_wh as u64 % 1_000_000_000) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_and_stamps_only_rise() {
        let now = Instant::now();
        let mut connector = Connector::new(1, false, now);
        connector.start(now);
        let first = connector.measure(now + Duration::from_secs(60));
        let second = connector.measure(now + Duration::from_secs(120));
        assert_eq!((first.seq_no, first.register_wh), (1, 184));
        assert_eq!((second.seq_no, second.register_wh), (2, 368));
        assert_eq!([connector.stamp(1000), connector.stamp(1000), connector.stamp(900)], [1000, 1001, 1002]);
    }

    #[test]
    fn what_is_left_of_a_session_goes_on_in_the_next_run() {
        let now = Instant::now();
        let mut change = Change::Left(100.0);
        change.begin_run(now, 2.0);
        assert_eq!(change, Change::At(now + Duration::from_secs(50)));
        change.end_run(now + Duration::from_secs(20), 2.0);
        assert_eq!(change, Change::Left(60.0));
    }
}
