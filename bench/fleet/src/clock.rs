//! Time: the monotonic clock that latencies are measured by, and the time of day that messages carry.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const NANOS_PER_TICK: u32 = 1_000_000;

/// The time of day runs with the monotonic clock from where it was at the start, so that it only ever rises.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    wall_ms: u64,
}

impl Clock {
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), wall_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX) }
    }

    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Seconds of the epoch at the start of this process: what its ids begin with.
    pub const fn epoch_s(&self) -> u64 {
        self.wall_ms / 1000
    }

    /// This time, or the next whole millisecond of the process: what is due by schedule is due at one, so that a busy fleet
    /// wakes once for several messages.
    pub fn tick(&self, at: Instant) -> Instant {
        let since = at.saturating_duration_since(self.began);
        let over = since.subsec_nanos() % NANOS_PER_TICK;
        if over == 0 { at } else { at + Duration::from_nanos(u64::from(NANOS_PER_TICK - over)) }
    }

    /// Milliseconds of the epoch at this instant.
    pub fn wall_ms(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.began);
        self.wall_ms.saturating_add(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// RFC 3339 in UTC with milliseconds.
pub fn stamp(wall_ms: u64) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(wall_ms))
}

/// A number of seconds of the plan as a duration; one that is out of range is as good as never.
pub fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value.max(0.0)).unwrap_or(Duration::from_secs(u64::from(u32::MAX)))
}

/// Whole microseconds.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
