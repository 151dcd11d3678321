//! Sessions at the connectors of a station: from the token to the stop.

use std::time::Instant;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Station, at};
use crate::connector::{Change, Phase};
use crate::message::{Content, Status, StopReason};
use crate::outbox::InFlight;
use crate::plan::Version;
use crate::world::World;

/// When a start was refused and the plan knows no pause, the next attempt waits so long.
const RETRY_START_S: f64 = 10.0;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenAnswer<'a> {
    transaction_id: Option<i64>,
    #[serde(borrow, alias = "idTokenInfo")]
    id_tag_info: Option<TokenInfo<'a>>,
}

#[derive(Deserialize)]
struct TokenInfo<'a> {
    status: &'a str,
}

impl Station {
    /// A session with this token, or with the group's: a token of the CSMS needs not be checked again.
    pub(super) fn begin_session(
        &mut self,
        world: &World,
        place: usize,
        token: Option<Box<str>>,
        remote_start_id: Option<i64>,
        now: Instant,
    ) {
        let Some(connector) = self.connectors.get_mut(place) else { return };
        let remote = token.is_some();
        let number = connector.number;
        connector.occupy(token, remote_start_id);
        self.push_content(world, Content::Status { connector: number, status: Status::Preparing }, now);
        if remote {
            self.start(world, number, now);
        } else {
            self.push_content(world, Content::Authorize { connector: number }, now);
        }
    }

    pub(super) fn start(&mut self, world: &World, number: u16, now: Instant) {
        let Some(connector) = at(&mut self.connectors, number) else { return };
        let reading = connector.start(now);
        self.push_content(world, Content::Started { connector: number, reading }, now);
    }

    pub(super) fn authorize_answered(
        &mut self,
        world: &World,
        call: &InFlight,
        number: u16,
        payload: &RawValue,
        now: Instant,
    ) {
        match read_token(payload) {
            Ok(TokenAnswer { id_tag_info: Some(info), .. }) if info.status == "Accepted" => {
                self.start(world, number, now);
            }
            Ok(TokenAnswer { id_tag_info: Some(info), .. }) => {
                world.tally.borrow_mut().error(call.message.run, &format!("Authorize {:.30}", info.status));
                self.not_started(world, number, now);
            }
            _ => {
                world.tally.borrow_mut().error(call.message.run, "Authorize: answer that cannot be read");
                self.not_started(world, number, now);
            }
        }
    }

    pub(super) fn start_answered(
        &mut self,
        world: &World,
        call: &InFlight,
        number: u16,
        payload: &RawValue,
        now: Instant,
    ) {
        let is_16 = self.kind.version == Version::V16;
        let answer = read_token(payload).ok().filter(|answer| !is_16 || answer.transaction_id.is_some());
        let Some(answer) = answer else {
            let error = format!("{}: answer that cannot be read", call.action.name());
            world.tally.borrow_mut().error(call.message.run, &error);
            return self.not_started(world, number, now);
        };
        let status = answer.id_tag_info.map_or("Accepted", |info| info.status);
        let Some(connector) = at(&mut self.connectors, number) else { return };
        connector.transaction = answer.transaction_id.unwrap_or_default();
        connector.phase = Phase::Charging;
        world.tally.borrow_mut().gauges.charging += 1;
        self.settled(world, number);
        if status != "Accepted" {
            world.tally.borrow_mut().error(call.message.run, &format!("{} {status:.30}", call.action.name()));
            return self.stop(world, number, StopReason::Deauthorized, now);
        }
        if is_16 {
            self.push_content(world, Content::Status { connector: number, status: Status::Charging }, now);
        }
        let mean = self.kind.behaviour.session_s;
        let run = world.run_at(now);
        let lasts = mean.map(|mean| match run {
            Some(_) => self.chance.period(mean),
            // when the run begins, the car is taken to have come before
            None => self.chance.rest_of_period(mean),
        });
        if let Some(connector) = at(&mut self.connectors, number) {
            connector.change = lasts.map_or(Change::Never, Change::Left);
        }
        self.arm_connector(usize::from(number) - 1, now, run);
    }

    pub(super) fn stop(&mut self, world: &World, number: u16, reason: StopReason, now: Instant) {
        let Some(connector) = at(&mut self.connectors, number) else { return };
        if connector.phase != Phase::Charging {
            return;
        }
        connector.phase = Phase::Stopping;
        connector.meter_at = None;
        connector.change = Change::Never;
        let reading = connector.measure(now);
        {
            let mut tally = world.tally.borrow_mut();
            tally.gauges.charging = tally.gauges.charging.saturating_sub(1);
        }
        self.push_content(world, Content::Stopped { connector: number, reading, reason }, now);
    }

    pub(super) fn stop_answered(&mut self, world: &World, number: u16, now: Instant) {
        if self.kind.version == Version::V16 {
            self.push_content(world, Content::Status { connector: number, status: Status::Finishing }, now);
        }
        self.push_content(world, Content::Status { connector: number, status: Status::Available }, now);
        self.free(world, number, self.kind.behaviour.pause_s, now);
    }

    /// The next session begins after a pause of this mean.
    pub(super) fn free(&mut self, world: &World, number: u16, pause: Option<f64>, now: Instant) {
        let pause = pause.map(|mean| self.chance.period(mean));
        let Some(connector) = at(&mut self.connectors, number) else { return };
        connector.free(pause);
        if let Some(run) = world.run_at(now) {
            connector.change.begin_run(now, run.speed);
        }
    }

    pub(super) fn not_started(&mut self, world: &World, number: u16, now: Instant) {
        self.settled(world, number);
        self.push_content(world, Content::Status { connector: number, status: Status::Available }, now);
        self.free(world, number, Some(self.kind.behaviour.pause_s.unwrap_or(RETRY_START_S)), now);
    }

    /// The first session of a connector has begun, or was refused.
    pub(super) fn settled(&mut self, world: &World, number: u16) {
        let Some(connector) = at(&mut self.connectors, number) else { return };
        if std::mem::take(&mut connector.awaited) {
            let mut tally = world.tally.borrow_mut();
            tally.gauges.unsettled = tally.gauges.unsettled.saturating_sub(1);
            drop(tally);
            world.tell_if_ready();
        }
    }
}

fn read_token(payload: &RawValue) -> Result<TokenAnswer<'_>, serde_json::Error> {
    serde_json::from_str(payload.get())
}
