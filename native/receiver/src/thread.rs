//! The thread that reads, and what its owner asks of it.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ocpp_codec::{ActionId, Connection, OwnedEvent};
use rustix::event::{EventfdFlags, eventfd};

use crate::queue::{Arrived, Delivery, Queue};
use crate::sockets::{STOP, Sockets, lock};

/// The largest read that can be asked for.
const READ_LIMIT: usize = 64 * 1024;

/// How long what arrives waits for company, and how much of it.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From the first of a group on.
    pub gather: Duration,
    /// So many wait no longer.
    pub crowd: usize,
    /// While less than this arrives in a second, nothing waits.
    pub busy_per_second: f64,
    /// Bytes that may wait to be taken; beyond it no socket is read.
    pub most_bytes: usize,
}

struct Shared {
    sockets: Sockets,
    queue: Mutex<Waiting>,
    room: Condvar,
    /// Readable while there is something to take.
    wake: OwnedFd,
    stopping: AtomicBool,
    hurried: HashSet<usize>,
    most_bytes: usize,
}

struct Waiting {
    queue: Queue,
    /// The owner was told and has not taken everything since.
    told: bool,
    /// The thread is gone although nobody has stopped it.
    ended: bool,
}

/// Reads sockets until it is dropped.
pub struct Receiver {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl Receiver {
    /// Start the thread. CALLs of the actions `hurried` do not wait for company.
    ///
    /// # Errors
    /// The system has no descriptors or no thread left.
    pub fn new(pace: Pace, hurried: impl IntoIterator<Item = ActionId>) -> io::Result<Self> {
        let queue = Queue::new(pace.gather, pace.crowd, pace.busy_per_second, Instant::now());
        let shared = Arc::new(Shared {
            sockets: Sockets::new()?,
            queue: Mutex::new(Waiting { queue, told: false, ended: false }),
            room: Condvar::new(),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            stopping: AtomicBool::new(false),
            hurried: hurried.into_iter().map(ActionId::index).collect(),
            most_bytes: pace.most_bytes,
        });
        let its = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("receiver".into()).spawn(move || {
            // nobody would read the sockets any more: the owner must hear of it, whatever it was
            let _panicked = catch_unwind(AssertUnwindSafe(|| its.run()));
            its.end();
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Readable while there is something to take.
    #[must_use]
    pub fn wake(&self) -> impl AsFd + AsRawFd + '_ {
        self.shared.wake.as_fd()
    }

    /// Read `socket`, up to `read_size` bytes at once, and have `codec` decode it, until [`Receiver::leave`]; gives a token for it.
    /// The caller leaves before the socket is closed.
    ///
    /// # Errors
    /// The socket cannot be watched, or is already.
    pub fn watch(&self, socket: RawFd, codec: Arc<Mutex<Connection>>, read_size: usize) -> io::Result<u64> {
        self.shared.sockets.watch(socket, codec, read_size.clamp(1, READ_LIMIT))
    }

    /// What was delivered of this socket has been handled: read it again.
    pub fn again(&self, token: u64) {
        self.shared.sockets.again(token);
    }

    /// Read this socket no longer. What was read and not taken may still be delivered.
    pub fn leave(&self, token: u64) {
        self.shared.sockets.leave(token);
    }

    /// Up to `most` deliveries that are to be handled now; empty: there are none, and `wake` tells of the next ones.
    ///
    /// # Errors
    /// The thread has failed: nothing is read any more.
    pub fn take(&self, most: usize) -> io::Result<Vec<Delivery>> {
        let mut waiting = self.shared.waiting();
        if waiting.ended {
            return Err(io::Error::other("the thread that reads the sockets has ended"));
        }
        let taken = waiting.queue.take(most);
        if waiting.told && !waiting.queue.ready(Instant::now()) {
            waiting.told = false;
            let mut count = [0; 8];
            // nothing else reads it, so it is there
            let _cleared = rustix::io::read(&self.shared.wake, &mut count);
        }
        drop(waiting);
        self.shared.room.notify_one();
        Ok(taken)
    }
}

impl Drop for Receiver {
    /// Ends the thread and waits for it, which is as long as one message takes.
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.sockets.stop();
        // under the lock, so that it cannot go to sleep between its look and this
        drop(self.shared.waiting());
        self.shared.room.notify_one();
        if let Some(thread) = self.thread.take() {
            // if it panicked it is gone as well
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.queue)
    }

    fn run(&self) {
        let mut buffer = vec![0; READ_LIMIT];
        let mut tokens = Vec::new();
        let mut deadline = None;
        while self.sockets.wait(deadline, &mut tokens).is_ok() && !self.stopping.load(Ordering::Acquire) {
            for &token in &tokens {
                if token == STOP {
                    return;
                }
                if let Some(arrived) = self.sockets.read(token, &mut buffer) {
                    let hurried = self.hurries(&arrived);
                    self.waiting().queue.push(Delivery { token, arrived }, hurried, Instant::now());
                }
            }
            deadline = self.tell();
            self.wait_for_room();
        }
    }

    fn end(&self) {
        if !self.stopping.load(Ordering::Acquire) {
            let mut waiting = self.waiting();
            waiting.ended = true;
            self.wake_owner(&mut waiting);
        }
    }

    /// Tell the owner if there is something to take; gives the moment from which on there will be.
    fn tell(&self) -> Option<Instant> {
        let mut waiting = self.waiting();
        if waiting.queue.ready(Instant::now()) {
            self.wake_owner(&mut waiting);
        }
        waiting.queue.deadline()
    }

    fn wake_owner(&self, waiting: &mut Waiting) {
        if !waiting.told {
            waiting.told = true;
            // it can only fail when it is set already
            let _told = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }

    /// Nobody takes: TCP pushes back on the peers.
    fn wait_for_room(&self) {
        let mut waiting = self.waiting();
        while waiting.queue.size() > self.most_bytes && !self.stopping.load(Ordering::Acquire) {
            self.wake_owner(&mut waiting);
            waiting = self.room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn hurries(&self, arrived: &Arrived) -> bool {
        let Arrived::Events(events) = arrived else { return false };
        events
            .iter()
            .any(|event| matches!(event, OwnedEvent::Call { action, .. } if self.hurried.contains(&action.index())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    #[test]
    fn a_thread_that_ends_by_itself_is_noticed() {
        let pace = Pace { gather: Duration::ZERO, crowd: 1, busy_per_second: 0.0, most_bytes: 1_000 };
        let receiver = Receiver::new(pace, []).unwrap();
        assert!(receiver.take(1).unwrap().is_empty());
        receiver.shared.sockets.stop();
        let wake = receiver.wake();
        let told = poll(&mut [PollFd::new(&wake, PollFlags::IN)], Some(&Timespec { tv_sec: 5, tv_nsec: 0 })).unwrap();
        assert_eq!(told, 1);
        assert!(receiver.take(1).is_err());
    }
}
