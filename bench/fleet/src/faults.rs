//! Bad stations: what they do to the server, and what it does to them, which is counted apart and is no error.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::{Sink as _, SinkExt as _, Stream as _};
use rand::RngExt as _;
use rand::rngs::SmallRng;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, sleep_until, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::client::generate_request;

use crate::chance::generator;
use crate::clock::seconds;
use crate::connect::{Caller, Socket, io_reason, socket_reason};
use crate::message::Content;
use crate::plan::{Fault, FaultKind, Version};
use crate::rpc::{self, Inbound};
use crate::shard::Shard;
use crate::station::Kind;
use crate::tally::count;
use crate::wire::{self, Saying, Token};

/// CALLs that are sent without waiting for an answer.
const BURST: usize = 100;
const GARBAGE: usize = 64;
/// The end of a connection that the station itself wanted.
const CAME_AND_WENT: &str = "connected, then reset";

pub struct BadStation {
    pub number: usize,
    /// The name that its faults are counted under.
    pub group: Rc<str>,
    pub identity: Rc<str>,
    pub kind: Rc<Kind>,
    pub password: Option<Rc<str>>,
    pub fault: Fault,
}

/// Be bad for ever: connect, do harm until the server ends it, and connect again after the fault's interval.
pub async fn live(shard: Rc<Shard>, station: BadStation) {
    sleep_until(shard.first_attempt(station.number).into()).await;
    let every = seconds(station.fault.every_s);
    let mut harm = Harm {
        random: generator(shard.plan.seed.wrapping_add(station.number as u64)),
        sequence: 0,
        every,
        shard: &shard,
        station: &station,
    };
    loop {
        let Err(reason) = harm.connection().await;
        harm.count(&reason);
        if reason != CAME_AND_WENT {
            sleep(every).await;
        }
    }
}

struct Harm<'a> {
    random: SmallRng,
    sequence: u64,
    every: Duration,
    shard: &'a Shard,
    station: &'a BadStation,
}

#[derive(Deserialize)]
struct Registered<'a> {
    status: &'a str,
}

enum Never {}

impl Harm<'_> {
    /// One connection, up to the reason for its end.
    async fn connection(&mut self) -> Result<Never, String> {
        let kind = self.station.fault.kind;
        let longest = seconds(self.shard.plan.connect.timeout_s);
        let caller = Caller {
            number: self.station.number,
            identity: &self.station.identity,
            version: self.station.kind.version,
            password: self.station.password.as_deref(),
            small_buffers: kind == FaultKind::NotReading,
        };
        if kind == FaultKind::SlowHandshake {
            return self.drip(&caller).await;
        }
        let dialled = timeout(longest, Box::pin(self.shard.dialler.dial(&caller))).await;
        let dialled = dialled.unwrap_or_else(|_| Err("timeout".to_owned()));
        let mut socket = dialled.map_err(|reason| format!("not connected: {reason}"))?;
        self.boot(&mut socket, longest).await?;
        match kind {
            FaultKind::Garbage => self.garbage(&mut socket).await,
            FaultKind::WrongSchema => self.wrong_schema(&mut socket).await,
            FaultKind::Flood => self.flood(&mut socket).await,
            FaultKind::NotReading => self.not_reading(&mut socket).await,
            FaultKind::NoPong => self.no_pong(&mut socket).await,
            FaultKind::Reconnecting | FaultKind::SlowHandshake => {
                self.listen(&mut socket, self.every).await?;
                // if the socket is gone already there is nothing to reset
                let _ = socket.get_ref().tcp().set_zero_linger();
                Err(CAME_AND_WENT.to_owned())
            }
        }
    }

    fn count(&self, what: &str) {
        let name = &self.station.group;
        count(&mut self.shard.world.tally.borrow_mut().connections.faults, &format!("{name}: {what}"));
    }

    fn call(&mut self, content: Content) -> (String, String) {
        self.sequence += 1;
        let clock = &self.shard.world.clock;
        let saying = Saying {
            content,
            at_ms: clock.wall_ms(Instant::now()),
            serial_number: self.station.kind.serial_number.as_deref().unwrap_or(&self.station.identity),
            sequence: self.sequence,
            epoch_s: clock.epoch_s(),
            samples: self.station.kind.behaviour.samples,
            token: Token::Given(&self.station.kind.behaviour.id_token),
            transaction: 0,
            connector: 1,
            session: 0,
            remote_start_id: None,
        };
        wire::call(self.station.kind.version, &saying)
    }

    /// Become an accepted station, so that the harm is done from within.
    async fn boot(&mut self, socket: &mut Socket, longest: Duration) -> Result<(), String> {
        loop {
            let (id, text) = self.call(Content::Boot { triggered: false });
            send(socket, text, longest).await?;
            let until = Instant::now() + longest;
            let accepted = loop {
                let frame =
                    timeout_at(until.into(), next(socket)).await.map_err(|_| "not booted: timeout".to_owned())??;
                let Frame::Text(text) = frame else { continue };
                match rpc::parse(&text) {
                    Ok(Inbound::CallResult { id: answered, payload }) if *answered == *id => {
                        let answer = serde_json::from_str::<Registered<'_>>(payload.get());
                        break answer.is_ok_and(|answer| answer.status == "Accepted");
                    }
                    Ok(Inbound::CallError { code, .. }) => return Err(format!("not booted: CALLERROR {code:.60}")),
                    _ => {}
                }
            };
            if accepted {
                return Ok(());
            }
            self.listen(socket, self.every).await?;
        }
    }

    /// Count what comes in for so long.
    async fn listen(&self, socket: &mut Socket, length: Duration) -> Result<(), String> {
        let until = Instant::now() + length;
        loop {
            let Ok(frame) = timeout_at(until.into(), next(socket)).await else { return Ok(()) };
            match frame? {
                Frame::Close(frame) => {
                    return Err(
                        frame.map_or_else(|| "close".to_owned(), |frame| format!("close {}", u16::from(frame.code)))
                    );
                }
                Frame::Text(text) => match rpc::parse(&text) {
                    Ok(Inbound::CallError { code, .. }) => self.count(&format!("CALLERROR {code:.60}")),
                    Ok(Inbound::CallResult { .. }) => self.count("answered"),
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// In turn: text that is no JSON, JSON that is no message, a message of no known type, and bytes that are no frame.
    async fn garbage(&mut self, socket: &mut Socket) -> Result<Never, String> {
        loop {
            let noise: String = (0..GARBAGE).map(|_| char::from(self.random.random_range(b' '..=b'~'))).collect();
            for text in [format!("{{{noise}"), r#"{"garbage":[1,2,3]}"#.to_owned(), r#"[99,"garbage",{}]"#.to_owned()] {
                send(socket, text, self.every).await?;
                self.listen(socket, self.every).await?;
            }
            let bytes: [u8; GARBAGE] = std::array::from_fn(|_| self.random.random_range(0x80..=0xff));
            let written = timeout(self.every, socket.get_mut().write_all(&bytes)).await;
            written.map_err(|_| "writing took too long".to_owned())?.map_err(|error| io_reason(&error))?;
            self.listen(socket, self.every).await?;
        }
    }

    async fn wrong_schema(&mut self, socket: &mut Socket) -> Result<Never, String> {
        let wrong = match self.station.kind.version {
            Version::V16 => [
                r#""StatusNotification",{"connectorId":"one","errorCode":"NoError","status":"Available"}"#,
                r#""MeterValues",{"connectorId":1,"meterValue":[]}"#,
                r#""Heartbeat",{"unknown":true}"#,
            ],
            Version::V201 | Version::V21 => [
                r#""StatusNotification",{"evseId":"one","connectorId":1,"connectorStatus":"Available"}"#,
                r#""MeterValues",{"evseId":1,"meterValue":[]}"#,
                r#""Heartbeat",{"unknown":true}"#,
            ],
        };
        for rest in wrong.iter().cycle() {
            self.sequence += 1;
            let text = format!(r#"[2,"wrong-{}-{}",{rest}]"#, self.shard.world.clock.epoch_s(), self.sequence);
            send(socket, text, self.every).await?;
            self.listen(socket, self.every).await?;
        }
        Err("finished".to_owned())
    }

    async fn flood(&mut self, socket: &mut Socket) -> Result<Never, String> {
        loop {
            for _ in 0..BURST {
                let (_, text) = self.call(Content::Heartbeat);
                send(socket, text, self.every).await?;
            }
            self.listen(socket, self.every).await?;
        }
    }

    async fn not_reading(&mut self, socket: &mut Socket) -> Result<Never, String> {
        loop {
            let round = Instant::now() + self.every;
            for _ in 0..BURST {
                let (_, text) = self.call(Content::Heartbeat);
                poll_fn(|cx| Pin::new(&mut *socket).poll_ready(cx)).await.map_err(|error| socket_reason(&error))?;
                Pin::new(&mut *socket).start_send(Frame::text(text)).map_err(|error| socket_reason(&error))?;
            }
            sleep_until(round.into()).await;
        }
    }

    /// Reads, but not as a WebSocket: a ping is not seen, so that no pong goes out.
    async fn no_pong(&mut self, socket: &mut Socket) -> Result<Never, String> {
        let mut buffer = [0_u8; 512];
        loop {
            let until = Instant::now() + self.every;
            while let Ok(read) = timeout_at(until.into(), socket.get_mut().read(&mut buffer)).await {
                if read.map_err(|error| io_reason(&error))? == 0 {
                    return Err("end of stream".to_owned());
                }
            }
            let (_, text) = self.call(Content::Heartbeat);
            send(socket, text, self.every).await?;
        }
    }

    /// The upgrade request, one byte after the other.
    async fn drip(&mut self, caller: &Caller<'_>) -> Result<Never, String> {
        let longest = seconds(self.shard.plan.connect.timeout_s);
        let opened =
            timeout(longest, self.shard.dialler.open(caller)).await.unwrap_or_else(|_| Err("timeout".to_owned()));
        let mut stream = opened.map_err(|reason| format!("not connected: {reason}"))?;
        let request = self.shard.dialler.request(caller)?;
        let (request, _) = generate_request(request).map_err(|error| socket_reason(&error))?;
        let mut buffer = [0_u8; 512];
        for byte in request {
            let written = timeout(longest, stream.write_all(&[byte])).await;
            written.map_err(|_| "writing took too long".to_owned())?.map_err(|error| io_reason(&error))?;
            if let Ok(read) = timeout(self.every, stream.read(&mut buffer)).await {
                let read = read.map_err(|error| io_reason(&error))?;
                let answer = String::from_utf8_lossy(buffer.get(..read).unwrap_or_default()).into_owned();
                return Err(match answer.split(' ').nth(1) {
                    Some(status) if answer.starts_with("HTTP/") => format!("HTTP {status:.3}"),
                    _ => "end of stream".to_owned(),
                });
            }
        }
        Err("let through".to_owned())
    }
}

async fn send(socket: &mut Socket, text: String, longest: Duration) -> Result<(), String> {
    let sent = timeout(longest, socket.send(Frame::text(text))).await;
    sent.map_err(|_| "writing took too long".to_owned())?.map_err(|error| socket_reason(&error))
}

async fn next(socket: &mut Socket) -> Result<Frame, String> {
    match poll_fn(|cx| Pin::new(&mut *socket).poll_next(cx)).await {
        Some(frame) => frame.map_err(|error| socket_reason(&error)),
        None => Err("closed".to_owned()),
    }
}
