//! What waits to be sent: one CALL is in flight at a time, and what belongs to a transaction outlives a cut.

use std::collections::VecDeque;
use std::time::Instant;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::message::{Action, Message};

/// Messages that wait at most; more are dropped.
const MOST_WAITING: usize = 1000;

/// A CALL that was sent. Its text is kept while it may have to be sent again.
#[derive(Debug)]
pub struct InFlight {
    pub id: Box<str>,
    pub action: Action,
    pub message: Message,
    pub text: Option<Utf8Bytes>,
    /// When it left.
    pub sent: Instant,
    /// Until when an answer is awaited.
    pub until: Instant,
}

#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Message>,
    in_flight: Option<InFlight>,
    /// Sent on a connection that was cut before the answer came.
    unanswered: Option<InFlight>,
}

/// What goes out next.
pub enum Next {
    New(Message),
    Again(InFlight),
}

impl Outbox {
    /// False when there is no room.
    pub fn push(&mut self, message: Message) -> bool {
        let fits = self.waiting.len() < MOST_WAITING;
        if fits {
            self.waiting.push_back(message);
        }
        fits
    }

    /// The next message, unless an answer is awaited.
    pub fn next(&mut self) -> Option<Next> {
        if self.in_flight.is_some() {
            return None;
        }
        if let Some(again) = self.unanswered.take() {
            return Some(Next::Again(again));
        }
        let message = self.waiting.pop_front()?;
        if self.waiting.is_empty() {
            // most of the time nothing waits: an idle station keeps no buffer
            self.waiting.shrink_to_fit();
        }
        Some(Next::New(message))
    }

    pub const fn is_waiting_for_answer(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Anything that waits to be sent, or was sent and not answered.
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_none() && self.unanswered.is_none() && self.waiting.is_empty()
    }

    pub fn sent(&mut self, message: InFlight) {
        self.in_flight = Some(message);
    }

    /// The CALL that this id answers.
    pub fn answered(&mut self, id: &str) -> Option<InFlight> {
        self.in_flight.take_if(|message| *message.id == *id)
    }

    /// Until when the answer is awaited.
    pub fn deadline(&self) -> Option<Instant> {
        self.in_flight.as_ref().map(|message| message.until)
    }

    /// The CALL whose answer did not come in time.
    pub fn overdue(&mut self, now: Instant) -> Option<InFlight> {
        self.in_flight.take_if(|message| message.until <= now)
    }

    /// The connection is gone: gives what is lost with it.
    pub fn cut(&mut self) -> Vec<Message> {
        let mut lost = Vec::new();
        if let Some(message) = self.in_flight.take() {
            if message.message.content.is_transactional() {
                self.unanswered = Some(message);
            } else {
                lost.push(message.message);
            }
        }
        self.waiting.retain(|message| {
            let kept = message.content.is_transactional();
            if !kept {
                lost.push(*message);
            }
            kept
        });
        lost
    }
}
