//! What is given to the owner, and when.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use ocpp_codec::{Catalogue, Connection, Limits, OwnedEvent};
use ocpp_receiver::{Arrived, Pace, Receiver, send_now};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

static CATALOGUE: LazyLock<Arc<Catalogue>> =
    LazyLock::new(|| Arc::new(Catalogue::new(include_bytes!("../../../codec/tests/machine/tables.json")).unwrap()));

const REQUEST: &[u8] = b"GET /ocpp/ST1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const AT_ONCE: Pace = Pace { gather: Duration::ZERO, crowd: 1, busy_per_second: 0.0, most_bytes: 1_000_000 };
const SOON: Duration = Duration::from_secs(5);
const A_MOMENT: Duration = Duration::from_millis(50);

fn open() -> Arc<Mutex<Connection>> {
    let mut connection = Connection::new(Arc::clone(&CATALOGUE), Arc::new(Limits::default()));
    connection.receive(REQUEST, &mut |_| ());
    connection.accept(Some("ocpp1.6"), false, 65_536).unwrap();
    Arc::new(Mutex::new(connection))
}

/// A masked frame with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

fn pong(payload: &[u8]) -> Vec<u8> {
    frame(0x8A, payload)
}

fn readable(receiver: &Receiver, within: Duration) -> bool {
    let wake = receiver.wake();
    let mut polled = [PollFd::new(&wake, PollFlags::IN)];
    let within = Timespec { tv_sec: within.as_secs().cast_signed(), tv_nsec: within.subsec_nanos().into() };
    poll(&mut polled, Some(&within)).unwrap() > 0
}

/// The next group, as tokens and what they brought.
fn take(receiver: &Receiver) -> Vec<(u64, String)> {
    assert!(readable(receiver, SOON), "the owner is told");
    let taken = receiver.take(100).unwrap();
    let told = taken.iter().map(|delivery| match &delivery.arrived {
        Arrived::End => (delivery.token, "end".into()),
        Arrived::Events(events) => (delivery.token, events.iter().map(text).collect::<Vec<_>>().join(" ")),
    });
    told.collect()
}

fn text(event: &OwnedEvent) -> String {
    match event {
        OwnedEvent::Pong { payload } => String::from_utf8(payload.to_vec()).unwrap(),
        OwnedEvent::Call { message_id, .. } => format!("call {message_id}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_came_is_given_once_and_the_next_when_it_is_asked_for() {
    let receiver = Receiver::new(AT_ONCE, []).unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let token = receiver.watch(ours.as_raw_fd(), open(), 1024).unwrap();
    theirs.write_all(&pong(b"one")).unwrap();
    assert_eq!(take(&receiver), [(token, "one".into())]);
    theirs.write_all(&pong(b"two")).unwrap();
    assert!(!readable(&receiver, A_MOMENT), "the first is still being handled");
    receiver.again(token);
    assert_eq!(take(&receiver), [(token, "two".into())]);
    assert!(!readable(&receiver, A_MOMENT));
    assert!(receiver.take(100).unwrap().is_empty());
}

#[test]
fn no_more_than_the_size_of_a_read_comes_at_once() {
    let receiver = Receiver::new(AT_ONCE, []).unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let message = pong(b"x");
    theirs.write_all(&message.repeat(3)).unwrap();
    let token = receiver.watch(ours.as_raw_fd(), open(), 2 * message.len()).unwrap();
    assert_eq!(take(&receiver), [(token, "x x".into())]);
    receiver.again(token);
    assert_eq!(take(&receiver), [(token, "x".into())]);
}

#[test]
fn the_end_of_a_peer_is_told() {
    let receiver = Receiver::new(AT_ONCE, []).unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let token = receiver.watch(ours.as_raw_fd(), open(), 1024).unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
    assert_eq!(take(&receiver), [(token, "end".into())]);
}

#[test]
fn who_has_left_is_not_read_and_its_number_is_free() {
    let receiver = Receiver::new(AT_ONCE, []).unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let number = ours.as_raw_fd();
    let first = receiver.watch(number, open(), 1024).unwrap();
    assert!(receiver.watch(number, open(), 1024).is_err(), "it is watched already");
    receiver.leave(first);
    theirs.write_all(&pong(b"x")).unwrap();
    assert!(!readable(&receiver, A_MOMENT));
    receiver.again(first);
    assert!(!readable(&receiver, A_MOMENT));
    let second = receiver.watch(number, open(), 1024).unwrap();
    assert_ne!(first, second);
    assert_eq!(take(&receiver), [(second, "x".into())]);
}

#[test]
fn a_call_in_a_hurry_does_not_wait_for_company() {
    let pace = Pace { gather: Duration::from_secs(60), crowd: 1000, busy_per_second: 1.0, ..AT_ONCE };
    let receiver = Receiver::new(pace, CATALOGUE.named("Heartbeat")).unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    receiver.watch(ours.as_raw_fd(), open(), 1024).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(400) {
        theirs.write_all(&pong(b"x")).unwrap();
        while readable(&receiver, Duration::from_millis(5)) {
            for delivery in receiver.take(100).unwrap() {
                receiver.again(delivery.token);
            }
        }
    }
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let hurried = receiver.watch(ours.as_raw_fd(), open(), 1024).unwrap();
    theirs.write_all(&frame(0x81, br#"[2,"7","Heartbeat",{}]"#)).unwrap();
    assert_eq!(take(&receiver), [(hurried, "call 7".into())]);
}

#[test]
fn nothing_more_is_read_while_too_much_waits() {
    let receiver = Receiver::new(Pace { most_bytes: 2, ..AT_ONCE }, []).unwrap();
    let pairs: Vec<_> = (0..2).map(|_| UnixStream::pair().unwrap()).collect();
    for (ours, _) in &pairs {
        receiver.watch(ours.as_raw_fd(), open(), 1024).unwrap();
    }
    let [(_, first), (_, second)] = pairs.as_slice() else { panic!("two of them") };
    (&*first).write_all(&pong(b"much")).unwrap();
    assert!(readable(&receiver, SOON));
    (&*second).write_all(&pong(b"more")).unwrap();
    std::thread::sleep(A_MOMENT);
    assert_eq!(take(&receiver), [(0, "much".into())]);
    assert_eq!(take(&receiver), [(1, "more".into())]);
}

#[test]
fn it_ends_although_nobody_makes_room() {
    let receiver = Receiver::new(Pace { most_bytes: 2, ..AT_ONCE }, []).unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    receiver.watch(ours.as_raw_fd(), open(), 1024).unwrap();
    theirs.write_all(&pong(b"much")).unwrap();
    assert!(readable(&receiver, SOON));
    drop(receiver);
}

#[test]
fn what_is_no_socket_is_refused() {
    let receiver = Receiver::new(AT_ONCE, []).unwrap();
    assert!(receiver.watch(-1, open(), 1024).is_err());
    assert!(send_now(-1, b"x").is_err());
}

#[test]
fn it_ends_with_messages_that_nobody_takes() {
    let receiver = Receiver::new(AT_ONCE, []).unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    receiver.watch(ours.as_raw_fd(), open(), 1024).unwrap();
    theirs.write_all(&pong(b"x")).unwrap();
    assert!(readable(&receiver, SOON));
    drop(receiver);
    theirs.write_all(&pong(b"y")).unwrap();
}

#[test]
fn sending_takes_what_there_is_room_for() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    assert_eq!(send_now(ours.as_raw_fd(), b"abc").unwrap(), 3);
    let mut read = [0; 3];
    theirs.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"abc");
    let full = loop {
        if let Err(error) = send_now(ours.as_raw_fd(), &[0; 65_536]) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::WouldBlock);
    drop(theirs);
    assert!(send_now(ours.as_raw_fd(), b"x").is_err());
}
