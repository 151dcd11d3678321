//! The life of a station on the wire: connect, talk, connect again.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::{Sink as _, Stream as _};
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::chance::Chance;
use crate::clock::{micros, seconds};
use crate::connect::{BackOff, Socket, socket_reason};
use crate::orders::Cut;
use crate::shard::{Member, Shard};
use crate::tally::count;

/// Why a connection ended.
enum End {
    Lost(String),
    Ordered(Cut),
}

/// Keep a station connected, for ever.
pub async fn live(shard: Rc<Shard>, place: usize) {
    let Some(member) = shard.members.get(place) else { return };
    let mut chance = Chance::new(shard.plan.seed.wrapping_add(1), member.number as u64);
    let mut due = shard.first_attempt(member.number);
    tokio::time::sleep_until(due.into()).await;
    let mut is_first = true;
    loop {
        member.station.borrow_mut().connect_due = due;
        let mut back_off = BackOff::new();
        let mut socket = loop {
            match attempt(&shard, member).await {
                Ok(socket) => break socket,
                Err(reason) => count(&mut shard.world.tally.borrow_mut().connections.connect_failures, &reason),
            }
            tokio::time::sleep(back_off.next(&shard.plan.connect, &mut chance)).await;
        };
        if !is_first {
            shard.world.tally.borrow_mut().connections.reconnects += 1;
        }
        is_first = false;
        member.station.borrow_mut().connected(&shard.world, Instant::now());
        let end = poll_fn(|cx| converse(cx, &shard, place, member, &mut socket)).await;
        shard.alarm.forget(place);
        member.cut.set(None);
        member.unsent.set(false);
        member.station.borrow_mut().disconnected(&shard.world);
        match end {
            End::Lost(reason) => count(&mut shard.world.tally.borrow_mut().connections.cuts, &reason),
            End::Ordered(how) => hang_up(socket, how),
        }
        due = Instant::now() + BackOff::new().next(&shard.plan.connect, &mut chance);
        tokio::time::sleep_until(due.into()).await;
    }
}

/// One attempt, once there is room for another handshake.
async fn attempt(shard: &Shard, member: &Member) -> Result<Box<Socket>, String> {
    let Ok(_room) = shard.handshakes.acquire().await else { return Err("finished".to_owned()) };
    let began = Instant::now();
    let caller = member.caller();
    // boxed, so that a station that talks does not hold the memory of its handshake
    let dialled =
        tokio::time::timeout(seconds(shard.plan.connect.timeout_s), Box::pin(shard.dialler.dial(&caller))).await;
    let socket = dialled.map_err(|_| "timeout".to_owned())??;
    shard.world.tally.borrow_mut().connections.connect.record(micros(began.elapsed()));
    Ok(Box::new(socket))
}

/// Let the station and its socket do what they can now.
fn converse(cx: &mut Context<'_>, shard: &Shard, place: usize, member: &Member, socket: &mut Socket) -> Poll<End> {
    shard.alarm.register(place, cx.waker());
    let mut station = member.station.borrow_mut();
    let mut unsent = member.unsent.get();
    loop {
        if let Some(how) = member.cut.take() {
            return Poll::Ready(End::Ordered(how));
        }
        let now = Instant::now();
        station.advance(&shard.world, now);
        while let Some(text) = station.next_frame(&shard.world, now) {
            if let Err(error) = Pin::new(&mut *socket).start_send(Frame::Text(text)) {
                return Poll::Ready(End::Lost(socket_reason(&error)));
            }
            unsent = true;
        }
        // what the socket did not take yet goes on while the station reads
        if unsent {
            match Pin::new(&mut *socket).poll_flush(cx) {
                Poll::Ready(Ok(())) => unsent = false,
                Poll::Ready(Err(error)) => return Poll::Ready(End::Lost(socket_reason(&error))),
                Poll::Pending => {}
            }
        }
        match Pin::new(&mut *socket).poll_next(cx) {
            Poll::Pending => break,
            Poll::Ready(None) => return Poll::Ready(End::Lost("closed".to_owned())),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(End::Lost(socket_reason(&error))),
            Poll::Ready(Some(Ok(Frame::Text(text)))) => {
                if station.received(&shard.world, &text, Instant::now()).is_err() {
                    shard.world.tally.borrow_mut().error(0, "no OCPP message");
                }
            }
            Poll::Ready(Some(Ok(Frame::Close(frame)))) => {
                let reason =
                    frame.map_or_else(|| "close".to_owned(), |frame| format!("close {}", u16::from(frame.code)));
                return Poll::Ready(End::Lost(reason));
            }
            Poll::Ready(Some(Ok(_))) => {}
        }
    }
    member.unsent.set(unsent);
    if let Some(due) = station.next_due(&shard.world) {
        shard.alarm.arm(place, due);
    }
    Poll::Pending
}

fn hang_up(socket: Box<Socket>, how: Cut) {
    if how == Cut::Reset {
        // if the socket is gone already there is nothing to reset
        let _ = socket.get_ref().tcp().set_zero_linger();
    }
    drop(socket);
}
