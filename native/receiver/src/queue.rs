//! What has arrived and was not taken yet, and when the owner is to be told of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ocpp_codec::OwnedEvent;

/// Over which time the rate of arrivals is measured.
const RATE_WINDOW: Duration = Duration::from_millis(250);

/// What came from one socket.
#[derive(Debug)]
pub struct Delivery {
    /// As [`crate::Receiver::watch`] gave it.
    pub token: u64,
    pub arrived: Arrived,
}

/// What one read brought.
#[derive(Debug)]
pub enum Arrived {
    /// What the codec made of the data; nothing yet, perhaps.
    Events(Vec<OwnedEvent>),
    /// The peer has ended the connection, or it is broken.
    End,
}

impl Arrived {
    fn size(&self) -> usize {
        match self {
            Self::Events(events) => events.iter().map(OwnedEvent::size).sum(),
            Self::End => 0,
        }
    }
}

/// Deliveries in the order of their arrival, those in a hurry apart.
#[derive(Debug)]
pub struct Queue {
    gather: Duration,
    crowd: usize,
    busy_per_second: f64,
    hurried: VecDeque<Delivery>,
    patient: VecDeque<Delivery>,
    /// When the first of the patient ones came.
    oldest: Option<Instant>,
    /// The patient ones have waited long enough.
    due: bool,
    size: usize,
    arrivals: f64,
    rate_since: Instant,
    busy: bool,
}

impl Queue {
    pub fn new(gather: Duration, crowd: usize, busy_per_second: f64, now: Instant) -> Self {
        Self {
            gather,
            crowd,
            busy_per_second,
            hurried: VecDeque::new(),
            patient: VecDeque::new(),
            oldest: None,
            due: false,
            size: 0,
            arrivals: 0.0,
            rate_since: now,
            busy: false,
        }
    }

    pub fn push(&mut self, delivery: Delivery, hurried: bool, now: Instant) {
        self.size += delivery.arrived.size();
        self.measure_rate(now);
        if hurried {
            self.hurried.push_back(delivery);
            return;
        }
        self.patient.push_back(delivery);
        self.oldest.get_or_insert(now);
        if !self.busy || self.patient.len() >= self.crowd {
            self.due = true;
        }
    }

    /// True when there is something to take at this moment.
    pub fn ready(&mut self, now: Instant) -> bool {
        if self.oldest.is_some_and(|oldest| now >= oldest + self.gather) {
            self.due = true;
        }
        self.due || !self.hurried.is_empty()
    }

    /// When those that wait for company will have waited long enough.
    pub fn deadline(&self) -> Option<Instant> {
        if self.due { None } else { self.oldest.map(|oldest| oldest + self.gather) }
    }

    /// Bytes that wait.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Up to `most` that are to be handled now; those that have waited long enough have half of the room at least.
    pub fn take(&mut self, most: usize) -> Vec<Delivery> {
        let first = if self.due { most.div_ceil(2) } else { most };
        let mut taken: Vec<Delivery> = self.hurried.drain(..first.min(self.hurried.len())).collect();
        if self.due {
            let room = most - taken.len();
            taken.extend(self.patient.drain(..room.min(self.patient.len())));
            if self.patient.is_empty() {
                self.due = false;
                self.oldest = None;
            }
        }
        self.size -= taken.iter().map(|delivery| delivery.arrived.size()).sum::<usize>();
        taken
    }

    fn measure_rate(&mut self, now: Instant) {
        self.arrivals += 1.0;
        let elapsed = now.saturating_duration_since(self.rate_since);
        if elapsed >= RATE_WINDOW {
            self.busy = self.arrivals > self.busy_per_second * elapsed.as_secs_f64();
            self.arrivals = 0.0;
            self.rate_since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATHER: Duration = Duration::from_millis(20);

    fn delivery(token: u64) -> Delivery {
        Delivery { token, arrived: Arrived::Events(Vec::new()) }
    }

    fn tokens(deliveries: &[Delivery]) -> Vec<u64> {
        deliveries.iter().map(|delivery| delivery.token).collect()
    }

    /// A queue after a window in which much arrived.
    fn busy(now: Instant) -> Queue {
        let mut queue = Queue::new(GATHER, 10, 50.0, now - RATE_WINDOW);
        queue.arrivals = 1000.0;
        queue.measure_rate(now);
        assert!(queue.busy);
        queue
    }

    #[test]
    fn while_little_arrives_nothing_waits() {
        let now = Instant::now();
        let mut queue = Queue::new(GATHER, 10, 50.0, now);
        queue.push(delivery(1), false, now);
        assert!(queue.ready(now));
        assert_eq!(tokens(&queue.take(10)), [1]);
        assert!(!queue.ready(now + GATHER));
    }

    #[test]
    fn company_is_waited_for_from_the_first_on() {
        let now = Instant::now();
        let mut queue = busy(now);
        queue.push(delivery(1), false, now);
        queue.push(delivery(2), false, now + GATHER / 2);
        assert!(!queue.ready(now + GATHER / 2));
        assert_eq!(queue.deadline(), Some(now + GATHER));
        assert!(queue.take(10).is_empty());
        assert!(queue.ready(now + GATHER));
        assert_eq!(tokens(&queue.take(10)), [1, 2]);
        assert_eq!(queue.deadline(), None);
        queue.push(delivery(3), false, now + GATHER);
        assert_eq!(queue.deadline(), Some(now + 2 * GATHER));
    }

    #[test]
    fn those_in_a_hurry_go_without_the_others() {
        let now = Instant::now();
        let mut queue = busy(now);
        queue.push(delivery(1), false, now);
        queue.push(delivery(2), true, now);
        assert!(queue.ready(now));
        assert_eq!(tokens(&queue.take(10)), [2]);
        assert!(!queue.ready(now));
        assert!(queue.ready(now + GATHER));
    }

    #[test]
    fn a_crowd_in_a_hurry_keeps_nobody_out_who_has_waited() {
        let now = Instant::now();
        let mut queue = busy(now);
        for token in 0..10 {
            queue.push(delivery(token), true, now);
        }
        queue.push(delivery(10), false, now);
        queue.push(delivery(11), false, now);
        assert_eq!(tokens(&queue.take(3)), [0, 1, 2]);
        assert!(queue.ready(now + GATHER));
        assert_eq!(tokens(&queue.take(3)), [3, 4, 10]);
        assert_eq!(tokens(&queue.take(3)), [5, 6, 11]);
        assert_eq!(tokens(&queue.take(3)), [7, 8, 9]);
    }

    #[test]
    fn a_crowd_does_not_wait() {
        let now = Instant::now();
        let mut queue = busy(now);
        for token in 0..9 {
            queue.push(delivery(token), false, now);
        }
        assert!(!queue.ready(now));
        queue.push(delivery(9), false, now);
        assert!(queue.ready(now));
    }

    #[test]
    fn what_was_not_taken_stays_due() {
        let now = Instant::now();
        let mut queue = busy(now);
        for token in 0..10 {
            queue.push(delivery(token), false, now);
        }
        assert_eq!(tokens(&queue.take(4)), [0, 1, 2, 3]);
        assert!(queue.ready(now));
        assert_eq!(queue.take(10).len(), 6);
        assert!(!queue.ready(now));
    }

    #[test]
    fn the_size_is_that_of_what_waits() {
        let now = Instant::now();
        let mut queue = busy(now);
        let event = OwnedEvent::Pong { payload: [0; 10].into() };
        queue.push(Delivery { token: 1, arrived: Arrived::Events(vec![event]) }, true, now);
        queue.push(Delivery { token: 2, arrived: Arrived::End }, true, now);
        assert_eq!(queue.size(), 10);
        queue.take(1);
        assert_eq!(queue.size(), 0);
    }
}
