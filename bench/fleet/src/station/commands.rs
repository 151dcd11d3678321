//! What a station does once it has answered a command.

use std::time::Instant;

use super::Station;
use crate::answers::Effect;
use crate::connector::Phase;
use crate::message::{Content, StopReason};
use crate::world::World;

impl Station {
    pub(super) fn carry_out(&mut self, world: &World, effect: Effect, now: Instant) {
        match effect {
            Effect::Nothing => {}
            Effect::Begin { place, token, remote_start_id } => {
                if self.connectors.get(place).is_some_and(|connector| connector.phase == Phase::Free) {
                    self.begin_session(world, place, Some(token), remote_start_id, now);
                }
            }
            Effect::Stop(number) => self.stop(world, number, StopReason::Remote, now),
            Effect::Say(content) => self.push_content(world, content, now),
            Effect::States(only) => self.push_states(world, only, now),
            Effect::Meter(only) => self.push_readings(world, only, now),
        }
    }

    pub(super) fn push_readings(&mut self, world: &World, only: Option<u16>, now: Instant) {
        for place in 0..self.connectors.len() {
            let Some(connector) = self.connectors.get_mut(place) else { return };
            let number = connector.number;
            if only.is_some_and(|only| only != number) {
                continue;
            }
            let charging = connector.phase == Phase::Charging;
            let reading = if charging { connector.measure(now) } else { connector.glance() };
            self.push_content(world, Content::Metered { connector: number, reading, triggered: true, charging }, now);
        }
    }
}
