//! A station, apart from its connection: what it sends when, and what it makes of what it receives. It reads no clock and no
//! socket: `advance` says what time it is, `next_frame` what goes out, `next_due` when to come back.

mod commands;
mod schedule;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::answers::{self, Answer};
use crate::chance::Chance;
use crate::clock::seconds;
use crate::connector::{Change, Connector, Phase};
use crate::message::{Content, Message, Status};
use crate::outbox::{InFlight, Next, Outbox};
use crate::plan::{Behaviour, Version};
use crate::rpc::{self, Inbound};
use crate::wire::{self, Saying, Token};
use crate::world::{Run, World};

/// Answers to commands that wait for their delay at most; with more, the oldest goes at once.
const MOST_REPLIES: usize = 64;

/// What stations of one group share.
#[derive(Debug)]
pub struct Kind {
    pub version: Version,
    pub behaviour: Behaviour,
    /// None: a station's identity.
    pub serial_number: Option<String>,
}

impl Kind {
    fn token<'a>(&'a self, station: u64, connector: &'a Connector) -> Token<'a> {
        let prefix = &self.behaviour.id_token;
        match &connector.token {
            Some(token) => Token::Given(token),
            None if self.behaviour.one_token => Token::Given(prefix),
            None => Token::Own { prefix, station, connector: connector.number },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Registration {
    Offline,
    /// BootNotification goes out at this time.
    Unregistered(Instant),
    Booting,
    Accepted,
}

#[derive(Debug)]
pub struct Station {
    identity: Rc<str>,
    /// When its attempts to connect began.
    pub connect_due: Instant,
    /// What its identity ends with.
    number: u64,
    kind: Rc<Kind>,
    chance: Chance,
    registration: Registration,
    was_accepted: bool,
    connectors: Box<[Connector]>,
    outbox: Outbox,
    /// Answers to commands, each with the time when it goes out.
    replies: VecDeque<(Instant, Answer)>,
    heartbeat_at: Option<Instant>,
    status_at: Option<Instant>,
    sequence: u64,
}

#[derive(Deserialize)]
struct BootAnswer<'a> {
    status: &'a str,
    interval: f64,
}

impl Station {
    /// `begins`: for each connector whether it has a session from the beginning.
    pub fn new(
        identity: Rc<str>,
        number: u64,
        kind: Rc<Kind>,
        mut chance: Chance,
        begins: &[bool],
        now: Instant,
    ) -> Self {
        let pause = kind.behaviour.pause_s;
        let connectors = (1..)
            .zip(begins)
            .map(|(number, begins)| {
                let mut connector = Connector::new(number, *begins, now);
                if let Some(mean) = pause.filter(|_| !begins) {
                    connector.change = Change::Left(chance.rest_of_period(mean));
                }
                connector
            })
            .collect();
        Self {
            identity,
            connect_due: now,
            number,
            kind,
            chance,
            registration: Registration::Offline,
            was_accepted: false,
            connectors,
            outbox: Outbox::default(),
            replies: VecDeque::new(),
            heartbeat_at: None,
            status_at: None,
            sequence: 0,
        }
    }

    pub const fn is_connected(&self) -> bool {
        !matches!(self.registration, Registration::Offline)
    }

    /// Connectors whose first session is awaited.
    pub fn awaited(&self) -> usize {
        self.connectors.iter().filter(|connector| connector.awaited).count()
    }

    /// A message waits that could go out now.
    pub fn has_to_send(&self) -> bool {
        self.registration == Registration::Accepted && !self.outbox.is_empty() && !self.outbox.is_waiting_for_answer()
    }

    pub fn connected(&mut self, world: &World, now: Instant) {
        world.tally.borrow_mut().gauges.connected += 1;
        self.registration = Registration::Unregistered(now);
    }

    /// The connection is gone. What belongs to a transaction is sent again; what only told the present state is lost.
    pub fn disconnected(&mut self, world: &World) {
        let mut tally = world.tally.borrow_mut();
        tally.gauges.connected = tally.gauges.connected.saturating_sub(1);
        if self.registration == Registration::Accepted {
            tally.gauges.accepted = tally.gauges.accepted.saturating_sub(1);
        }
        self.registration = Registration::Offline;
        for message in self.outbox.cut() {
            tally.dropped(message.run);
            if let Content::Authorize { connector } = message.content
                && let Some(connector) = at(&mut self.connectors, connector)
            {
                connector.phase = Phase::Free;
                connector.begins = true;
            }
        }
        self.replies.clear();
        self.heartbeat_at = None;
        self.status_at = None;
    }

    /// A run begins now: what is periodic starts anew, each message at its own phase.
    pub fn begin_run(&mut self, run: Run) {
        self.arm_periodic(run.began, Some(run));
        for place in 0..self.connectors.len() {
            self.arm_connector(place, run.began, Some(run));
        }
    }

    /// The run is over: what was due in it is still sent; then heartbeats alone go on.
    pub fn end_run(&mut self, world: &World, run: Run, now: Instant) {
        self.advance(world, now.min(run.end));
        for connector in &mut self.connectors {
            connector.meter_at = None;
            connector.change.end_run(now.min(run.end), run.speed);
        }
        self.arm_periodic(now, None);
    }

    /// Queue what is due by now.
    pub fn advance(&mut self, world: &World, now: Instant) {
        if let Some(late) = self.outbox.overdue(now) {
            world.tally.borrow_mut().failed(late.message.run, "no answer in time");
            self.gave_up(world, &late.message, now);
        }
        self.advance_periodic(world, now);
        for place in 0..self.connectors.len() {
            self.advance_connector(world, place, now);
        }
    }

    /// When `advance` or `next_frame` has something to do.
    pub fn next_due(&self, world: &World) -> Option<Instant> {
        let boot = if let Registration::Unregistered(at) = self.registration { Some(at) } else { None };
        let reply = self.replies.front().map(|reply| reply.0);
        let periodic = [self.heartbeat_at, self.status_at].map(|at| at.map(|at| world.clock.tick(at)));
        let own = [boot, reply, self.outbox.deadline()];
        own.into_iter()
            .chain(periodic)
            .flatten()
            .chain(
                self.connectors.iter().filter_map(|connector| connector.next_event(&world.clock).map(|event| event.0)),
            )
            .min()
    }

    /// The next frame to send, if there is one.
    pub fn next_frame(&mut self, world: &World, now: Instant) -> Option<Utf8Bytes> {
        if self.replies.front().is_some_and(|reply| reply.0 <= now) {
            let (_, answer) = self.replies.pop_front()?;
            // what a command causes comes after its answer
            self.carry_out(world, answer.effect, now);
            return Some(answer.text.into());
        }
        match self.registration {
            Registration::Unregistered(at) if at <= now => {
                self.registration = Registration::Booting;
                let message = world.message(Content::Boot { triggered: false }, at, world.clock.wall_ms(now));
                world.tally.borrow_mut().due(message.run);
                Some(self.send(world, message, now))
            }
            Registration::Accepted => match self.outbox.next()? {
                Next::New(message) => Some(self.send(world, message, now)),
                Next::Again(mut again) => {
                    world.tally.borrow_mut().resent(again.message.run);
                    again.sent = now;
                    again.until = now + world.call_timeout;
                    let text = again.text.clone();
                    self.outbox.sent(again);
                    text
                }
            },
            _ => None,
        }
    }

    /// # Errors
    /// It is no OCPP-J message.
    pub fn received(&mut self, world: &World, text: &str, now: Instant) -> Result<(), serde_json::Error> {
        match rpc::parse(text)? {
            Inbound::CallResult { id, payload } => {
                if let Some(call) = self.outbox.answered(&id) {
                    world.tally.borrow_mut().answered(&call, now);
                    self.answered(world, &call, payload, now);
                } else {
                    world.tally.borrow_mut().error(0, "answer to no CALL");
                }
            }
            Inbound::CallError { id, code } => {
                if let Some(call) = self.outbox.answered(&id) {
                    world.tally.borrow_mut().failed(call.message.run, &format!("CALLERROR {code:.60}"));
                    self.gave_up(world, &call.message, now);
                } else {
                    world.tally.borrow_mut().error(0, "CALLERROR to no CALL");
                }
            }
            Inbound::Call { id, action, payload } => {
                let answer = answers::answer(world, self.kind.version, &self.connectors, &id, &action, payload);
                if self.replies.len() >= MOST_REPLIES
                    && let Some(first) = self.replies.front_mut()
                {
                    first.0 = now;
                }
                let delay = Duration::from_millis(self.kind.behaviour.command_delay_ms);
                self.replies.push_back((now + delay, answer));
                world.tally.borrow_mut().connections.commands_answered += 1;
            }
            Inbound::Other => {}
        }
        Ok(())
    }

    fn send(&mut self, world: &World, message: Message, now: Instant) -> Utf8Bytes {
        world.tally.borrow_mut().sent(message.run, now);
        self.sequence += 1;
        let number = message.content.connector();
        let connector = number.and_then(|number| at(&mut self.connectors, number));
        let connector = connector.as_deref();
        let saying = Saying {
            content: message.content,
            at_ms: message.at_ms,
            serial_number: self.kind.serial_number.as_deref().unwrap_or(&self.identity),
            sequence: self.sequence,
            epoch_s: world.clock.epoch_s(),
            samples: self.kind.behaviour.samples,
            token: connector.map_or(Token::Given(""), |connector| self.kind.token(self.number, connector)),
            transaction: connector.map_or(0, |connector| connector.transaction),
            connector: number.unwrap_or(0),
            session: connector.map_or(0, |connector| connector.sessions),
            remote_start_id: connector.and_then(|connector| connector.remote_start_id),
        };
        let (id, text) = wire::call(self.kind.version, &saying);
        let text = Utf8Bytes::from(text);
        self.outbox.sent(InFlight {
            id: id.into(),
            action: wire::action(self.kind.version, message.content),
            message,
            text: message.content.is_transactional().then(|| text.clone()),
            sent: now,
            until: now + world.call_timeout,
        });
        text
    }

    fn push(&mut self, world: &World, message: Message) {
        let mut tally = world.tally.borrow_mut();
        tally.due(message.run);
        let registered = self.registration == Registration::Accepted;
        if (!registered && !message.content.is_transactional()) || !self.outbox.push(message) {
            tally.dropped(message.run);
        }
    }

    fn push_content(&mut self, world: &World, content: Content, due: Instant) {
        let mut at_ms = world.clock.wall_ms(due);
        if let Some(connector) = content.connector().and_then(|number| at(&mut self.connectors, number)) {
            at_ms = connector.stamp(at_ms);
        }
        self.push(world, world.message(content, due, at_ms));
    }

    fn answered(&mut self, world: &World, call: &InFlight, payload: &RawValue, now: Instant) {
        match call.message.content {
            Content::Boot { .. } => self.boot_answered(world, payload, now),
            Content::Authorize { connector } => self.authorize_answered(world, call, connector, payload, now),
            Content::Started { connector, .. } => self.start_answered(world, call, connector, payload, now),
            Content::Metered { connector, charging: true, triggered: false, .. } => {
                self.loop_closed(world, connector, now);
            }
            Content::Stopped { connector, .. } => self.stop_answered(world, connector, now),
            _ => {}
        }
    }

    /// A message came to nothing: an error, or no answer in time.
    fn gave_up(&mut self, world: &World, message: &Message, now: Instant) {
        match message.content {
            Content::Boot { .. } => self.boot_again(world, now + world.boot_retry_longest),
            Content::Authorize { connector } | Content::Started { connector, .. } => {
                self.not_started(world, connector, now);
            }
            Content::Stopped { connector, .. } => self.stop_answered(world, connector, now),
            Content::Metered { connector, charging: true, triggered: false, .. } => {
                self.loop_closed(world, connector, now)
            }
            _ => {}
        }
    }

    fn boot_answered(&mut self, world: &World, payload: &RawValue, now: Instant) {
        let Ok(answer) = serde_json::from_str::<BootAnswer<'_>>(payload.get()) else {
            world.tally.borrow_mut().error(0, "BootNotification: answer that cannot be read");
            return self.boot_again(world, now + world.boot_retry_longest);
        };
        if answer.status != "Accepted" {
            // 0: the station chooses
            let wait = if answer.interval > 0.0 { seconds(answer.interval) } else { world.boot_retry_longest };
            return self.boot_again(world, now + wait.min(world.boot_retry_longest));
        }
        if self.registration == Registration::Accepted {
            return;
        }
        self.registration = Registration::Accepted;
        {
            let mut tally = world.tally.borrow_mut();
            tally.gauges.accepted += 1;
            let after = crate::clock::micros(now.saturating_duration_since(self.connect_due));
            tally.connections.accepted_after.record(after);
            if !std::mem::replace(&mut self.was_accepted, true) {
                tally.gauges.unaccepted = tally.gauges.unaccepted.saturating_sub(1);
            }
        }
        let run = world.run_at(now);
        self.arm_periodic(now, run);
        if self.kind.behaviour.status_at_start {
            self.push_states(world, None, now);
        }
        for place in 0..self.connectors.len() {
            if self.connectors.get(place).is_some_and(|connector| connector.begins) {
                self.begin_session(world, place, None, None, now);
            }
        }
        world.tell_if_ready();
    }

    fn boot_again(&mut self, world: &World, at: Instant) {
        if self.registration == Registration::Accepted {
            let mut tally = world.tally.borrow_mut();
            tally.gauges.accepted = tally.gauges.accepted.saturating_sub(1);
        }
        self.registration = Registration::Unregistered(at);
    }

    fn push_states(&mut self, world: &World, only: Option<u16>, now: Instant) {
        for number in 1..=u16::try_from(self.connectors.len()).unwrap_or(u16::MAX) {
            if only.is_none_or(|only| only == number) {
                let status = at(&mut self.connectors, number).map_or(Status::Available, |connector| connector.status());
                self.push_content(world, Content::Status { connector: number, status }, now);
            }
        }
    }
}

fn at(connectors: &mut [Connector], number: u16) -> Option<&mut Connector> {
    connectors.get_mut(usize::from(number).checked_sub(1)?)
}
