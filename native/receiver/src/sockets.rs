//! The watched sockets: who is watched, and one read of one of them.

use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use foldhash::fast::RandomState;
use ocpp_codec::{Connection, OwnedEvent};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::queue::Arrived;

/// What the event that ends the thread says in a socket's place.
pub const STOP: u64 = u64::MAX;
const EVENTS_AT_ONCE: usize = 256;

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // whoever panicked held no half-made state: the codec ends its connection by itself
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Watched {
    /// Held while the socket is read, so that it cannot be closed meanwhile.
    turn: Mutex<Turn>,
    codec: Arc<Mutex<Connection>>,
    read_size: usize,
}

struct Turn {
    /// None once the owner has left.
    socket: Option<RawFd>,
    /// What was read is not handled yet: nothing more is read.
    handled: bool,
    /// The kernel tells of it. It goes on to while something is handled, as mostly no more comes before the answer; when it does, the
    /// kernel is asked to be quiet: cheaper than to ask it before and after each message.
    told_of: bool,
}

pub struct Sockets {
    epoll: OwnedFd,
    stop: OwnedFd,
    watched: Mutex<HashMap<u64, Arc<Watched>, RandomState>>,
    next_token: AtomicU64,
}

/// The socket behind a number that its owner gave.
#[expect(unsafe_code, reason = "a number of a socket cannot be used otherwise")]
fn borrow<'s>(socket: RawFd) -> io::Result<BorrowedFd<'s>> {
    if socket < 0 {
        return Err(Errno::BADF.into()); // of one that is closed; it would not even be a descriptor
    }
    // SAFETY: the owner of the socket leaves before it closes it (`Receiver::watch`), and leaving waits for a read under way;
    // and it sends on open sockets only.
    Ok(unsafe { BorrowedFd::borrow_raw(socket) })
}

/// Send what the socket takes at once; the number of bytes. The socket is open.
///
/// # Errors
/// It takes nothing at this moment (`WouldBlock`), or is broken.
pub fn send_now(socket: RawFd, data: &[u8]) -> io::Result<usize> {
    Ok(send(borrow(socket)?, data, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}

impl Sockets {
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &stop, EventData::new_u64(STOP), EventFlags::IN)?;
        Ok(Self { epoll, stop, watched: Mutex::default(), next_token: AtomicU64::new(0) })
    }

    pub fn watch(&self, socket: RawFd, codec: Arc<Mutex<Connection>>, read_size: usize) -> io::Result<u64> {
        let borrowed = borrow(socket)?;
        let token = self.next_token.fetch_add(1, Ordering::Relaxed);
        let turn = Turn { socket: Some(socket), handled: true, told_of: true };
        let watched = Arc::new(Watched { turn: Mutex::new(turn), codec, read_size });
        lock(&self.watched).insert(token, watched);
        if let Err(error) = epoll::add(&self.epoll, borrowed, EventData::new_u64(token), EventFlags::IN) {
            lock(&self.watched).remove(&token);
            return Err(error.into());
        }
        Ok(token)
    }

    pub fn again(&self, token: u64) {
        let Some(watched) = self.find(token) else { return };
        let mut turn = lock(&watched.turn);
        turn.handled = true;
        if let Some(socket) = turn.socket
            && !turn.told_of
        {
            turn.told_of = true;
            // as in `leave`
            let _gone =
                borrow(socket).map(|socket| epoll::add(&self.epoll, socket, EventData::new_u64(token), EventFlags::IN));
        }
    }

    pub fn leave(&self, token: u64) {
        let Some(watched) = lock(&self.watched).remove(&token) else { return };
        let mut turn = lock(&watched.turn);
        self.be_quiet(&mut turn);
        turn.socket = None;
    }

    /// Wait for sockets that can be read, at most until `deadline`. `tokens` gets them.
    pub fn wait(&self, deadline: Option<Instant>, tokens: &mut Vec<u64>) -> io::Result<()> {
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
        });
        let mut events = Vec::with_capacity(EVENTS_AT_ONCE);
        tokens.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        tokens.extend(events.iter().map(|event| event.data.u64()));
        Ok(())
    }

    /// Read a socket once; None when there was nothing, or its owner has left.
    pub fn read(&self, token: u64, buffer: &mut [u8]) -> Option<Arrived> {
        let watched = self.find(token)?;
        let mut turn = lock(&watched.turn);
        if !turn.handled {
            self.be_quiet(&mut turn);
            return None;
        }
        let socket = turn.socket?;
        let room = buffer.get_mut(..watched.read_size)?;
        let arrived = match recv(borrow(socket).ok()?, &mut *room, RecvFlags::DONTWAIT) {
            Ok((0, _)) => Arrived::End,
            Ok((size, _)) => {
                let mut events = Vec::new();
                let data = room.get(..size)?;
                lock(&watched.codec).receive(data, &mut |event| events.push(OwnedEvent::from(&event)));
                Arrived::Events(events)
            }
            Err(Errno::AGAIN | Errno::INTR) => return None,
            Err(_) => Arrived::End,
        };
        turn.handled = false;
        Some(arrived)
    }

    fn be_quiet(&self, turn: &mut Turn) {
        if let Some(socket) = turn.socket
            && turn.told_of
        {
            turn.told_of = false;
            // it is not there only if it was closed too early, and then the kernel has forgotten it
            let _gone = borrow(socket).map(|socket| epoll::delete(&self.epoll, socket));
        }
    }

    pub fn stop(&self) {
        // it fails only when it was told an absurd number of times
        let _told = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
    }

    fn find(&self, token: u64) -> Option<Arc<Watched>> {
        lock(&self.watched).get(&token).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocpp_codec::{Catalogue, Limits};
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    fn codec() -> Arc<Mutex<Connection>> {
        let tables = include_bytes!("../../codec/tests/machine/tables.json");
        let catalogue = Arc::new(Catalogue::new(tables).unwrap());
        Arc::new(Mutex::new(Connection::new(catalogue, Arc::new(Limits::default()))))
    }

    fn told_of(sockets: &Sockets) -> Vec<u64> {
        let mut tokens = Vec::new();
        sockets.wait(Some(Instant::now() + Duration::from_millis(50)), &mut tokens).unwrap();
        tokens
    }

    #[test]
    fn the_kernel_is_quiet_about_who_goes_on_before_he_is_answered() {
        let sockets = Sockets::new().unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let token = sockets.watch(ours.as_raw_fd(), codec(), 1024).unwrap();
        let mut buffer = [0; 1024];
        theirs.write_all(b"G").unwrap();
        assert_eq!(told_of(&sockets), [token]);
        assert!(sockets.read(token, &mut buffer).is_some());
        assert!(told_of(&sockets).is_empty());
        theirs.write_all(b"E").unwrap();
        assert_eq!(told_of(&sockets), [token]);
        assert!(sockets.read(token, &mut buffer).is_none(), "the first is being handled");
        assert!(told_of(&sockets).is_empty(), "or the thread would go round and round");
        sockets.again(token);
        assert_eq!(told_of(&sockets), [token]);
        assert!(sockets.read(token, &mut buffer).is_some());
        sockets.leave(token);
        theirs.write_all(b"T").unwrap();
        assert!(told_of(&sockets).is_empty());
    }
}
