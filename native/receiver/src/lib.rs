//! Reads the sockets of many stations in a thread of its own, has the codec decode what they say, and hands it over in groups.
//!
//! Whoever handles messages one by one, each when it comes, wakes for each of them, with cold caches: twice the work of handling
//! thirty in a row. So what can wait a moment waits for company here; what somebody waits for (an answer to a call, a kind of message
//! that the owner names) is told at once, and everything is when little is going on.
//!
//! A socket is watched once for each group: after its data was handed over it is not read until the owner asks for more
//! ([`Receiver::again`]), so no station can have more than one read's worth waiting here, and order is kept.

mod queue;
mod sockets;
mod thread;

pub use queue::{Arrived, Delivery};
pub use sockets::send_now;
pub use thread::{Pace, Receiver};
