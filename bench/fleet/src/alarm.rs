//! Wakes stations when something of theirs is due. One timer of the kernel for all of a thread: the runtime's own would be up
//! to two milliseconds late, which the latencies, counted from when a message was due, would show as the server's.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::AsFd as _;
use std::task::Waker;
use std::time::{Duration, Instant};

use nix::sys::time::{TimeSpec, TimeValLike as _};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

#[derive(Clone, Debug, Default)]
struct Slot {
    waker: Option<Waker>,
    /// The earliest entry of the heap that wakes it.
    rings_at: Option<Instant>,
}

pub struct Alarm {
    timer: TimerFd,
    heap: RefCell<BinaryHeap<Reverse<(Instant, u32)>>>,
    slots: RefCell<Vec<Slot>>,
    set_for: Cell<Option<Instant>>,
}

impl Alarm {
    /// For so many stations, in the running event loop.
    ///
    /// # Errors
    /// The kernel gives no timer.
    pub fn new(stations: usize) -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        Ok(Self {
            timer,
            heap: RefCell::default(),
            slots: RefCell::new(vec![Slot::default(); stations]),
            set_for: Cell::new(None),
        })
    }

    /// Who is to be woken for a station.
    pub fn register(&self, station: usize, waker: &Waker) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(station) {
            match &mut slot.waker {
                Some(known) => known.clone_from(waker),
                None => slot.waker = Some(waker.clone()),
            }
        }
    }

    /// Nobody waits for this station.
    pub fn forget(&self, station: usize) {
        if let Some(slot) = self.slots.borrow_mut().get_mut(station) {
            slot.waker = None;
        }
    }

    /// Wake a station at once.
    pub fn wake(&self, station: usize) {
        if let Some(waker) = self.slots.borrow().get(station).and_then(|slot| slot.waker.as_ref()) {
            waker.wake_by_ref();
        }
    }

    /// Wake a station at this time, or earlier.
    pub fn arm(&self, station: usize, at: Instant) {
        let Ok(number) = u32::try_from(station) else { return };
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(station) else { return };
        // what is due later finds its turn when the earlier entry rings
        if slot.rings_at.is_some_and(|rings_at| rings_at <= at) {
            return;
        }
        slot.rings_at = Some(at);
        self.heap.borrow_mut().push(Reverse((at, number)));
        if self.set_for.get().is_none_or(|set_for| at < set_for) {
            self.set(at);
        }
    }

    /// Wake whose time has come, for ever.
    ///
    /// # Errors
    /// The timer cannot be waited for.
    pub async fn ring(&self) -> io::Result<()> {
        // the runtime's reader of pipes is its safe way to wait for any descriptor to be readable
        let mut expiries = Receiver::from_owned_fd_unchecked(self.timer.as_fd().try_clone_to_owned()?)?;
        // more than the eight bytes of a count, so that a read tells that nothing is left
        let mut count = [0; 16];
        loop {
            if expiries.read(&mut count).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let now = Instant::now();
            self.set_for.set(None);
            let mut slots = self.slots.borrow_mut();
            let mut heap = self.heap.borrow_mut();
            while let Some(Reverse((at, station))) = heap.peek().copied() {
                if at > now {
                    self.set(at);
                    break;
                }
                heap.pop();
                if let Some(slot) = slots.get_mut(station as usize) {
                    slot.rings_at.take_if(|rings_at| *rings_at <= at);
                    if let Some(waker) = &slot.waker {
                        waker.wake_by_ref();
                    }
                }
            }
        }
    }

    fn set(&self, at: Instant) {
        // zero would switch it off
        let wait = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let wait = TimeSpec::nanoseconds(i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX));
        // a timer of our own, and a valid time: the kernel has nothing to refuse
        let set = self.timer.set(Expiration::OneShot(wait), TimerSetTimeFlags::empty());
        self.set_for.set(set.is_ok().then_some(at));
    }
}
