//! What is due at a station by itself: heartbeats, states, readings, the ends and beginnings of sessions.

use std::time::Instant;

use super::{Registration, Station, at};
use crate::chance::Phase as ChancePhase;
use crate::clock::seconds;
use crate::connector::{Change, Phase};
use crate::message::{Content, StopReason};
use crate::world::{Run, World};

impl Station {
    pub(super) fn arm_periodic(&mut self, now: Instant, run: Option<Run>) {
        if self.registration != Registration::Accepted {
            return;
        }
        let speed = run.map_or(1.0, |run| run.speed);
        let first = |every: f64, phase: f64| now + seconds(every / speed * phase);
        let heartbeat = self.kind.behaviour.heartbeat_s;
        self.heartbeat_at = heartbeat.map(|every| first(every, self.chance.phase(ChancePhase::Heartbeat)));
        let status = self.kind.behaviour.status_s.filter(|_| run.is_some());
        self.status_at = status.map(|every| first(every, self.chance.phase(ChancePhase::Status)));
    }

    pub(super) fn arm_connector(&mut self, place: usize, now: Instant, run: Option<Run>) {
        let (Some(connector), Some(run)) = (self.connectors.get_mut(place), run) else { return };
        connector.change.begin_run(now, run.speed);
        if connector.phase == Phase::Charging {
            let interval = seconds(self.kind.behaviour.meter_values_s / run.speed);
            connector.meter_from(now, interval, self.chance.phase(ChancePhase::MeterValues(connector.number)));
        }
    }

    pub(super) fn advance_periodic(&mut self, world: &World, now: Instant) {
        while let (Some(at), Some(every)) = (self.heartbeat_at, self.kind.behaviour.heartbeat_s)
            && let due = world.clock.tick(at)
            && due <= now
        {
            let speed = world.run_at(at).map_or(1.0, |run| run.speed);
            self.heartbeat_at = Some(at + seconds(every / speed));
            self.push_content(world, Content::Heartbeat, due);
        }
        while let (Some(at), Some(every)) = (self.status_at, self.kind.behaviour.status_s)
            && let due = world.clock.tick(at)
            && due <= now
        {
            self.status_at = world.run_at(due).map(|run| at + seconds(every / run.speed));
            if self.status_at.is_some() {
                self.push_states(world, None, due);
            }
        }
    }

    pub(super) fn advance_connector(&mut self, world: &World, place: usize, now: Instant) {
        while let Some((at, change)) =
            self.connectors.get(place).and_then(|connector| connector.next_event(&world.clock))
            && at <= now
        {
            if change { self.change_session(world, place, at) } else { self.read_meter(world, place, at) }
        }
    }

    pub(super) fn read_meter(&mut self, world: &World, place: usize, due: Instant) {
        let run = world.run_at(due);
        let every = self.kind.behaviour.meter_values_s;
        let Some(connector) = self.connectors.get_mut(place) else { return };
        let next = run.filter(|_| every > 0.0).map(|run| seconds(every / run.speed));
        connector.meter_at = connector.meter_at.zip(next).map(|(at, after)| at + after);
        if run.is_none() {
            return;
        }
        let (connector, reading) = (connector.number, connector.measure(due));
        self.push_content(world, Content::Metered { connector, reading, triggered: false, charging: true }, due);
    }

    pub(super) fn change_session(&mut self, world: &World, place: usize, at: Instant) {
        let Some(connector) = self.connectors.get_mut(place) else { return };
        connector.change = Change::Never;
        match connector.phase {
            Phase::Charging => {
                let number = connector.number;
                self.stop(world, number, StopReason::Local, at);
            }
            Phase::Free if self.registration == Registration::Accepted => {
                self.begin_session(world, place, None, None, at);
            }
            Phase::Free => connector.begins = true,
            _ => {}
        }
    }

    /// In a closed loop the next reading is due as soon as the last one is answered.
    pub(super) fn loop_closed(&mut self, world: &World, connector: u16, now: Instant) {
        if self.kind.behaviour.meter_values_s == 0.0
            && world.run_at(now).is_some()
            && let Some(connector) = at(&mut self.connectors, connector)
            && connector.phase == Phase::Charging
        {
            let (connector, reading) = (connector.number, connector.measure(now));
            self.push_content(world, Content::Metered { connector, reading, triggered: false, charging: true }, now);
        }
    }
}
