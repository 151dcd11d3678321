//! Server side of OCPP-J as one sans-I/O state machine per connection: bytes in, [`Event`]s out, and encoders for what
//! goes out. No sockets, no clock, no threads; the caller owns all of these.
//!
//! Layers, each in its own module and each unaware of the one above:
//! [`http`] (upgrade request) → [`frame`] and [`websocket`] (RFC 6455) → [`deflate`] (RFC 7692) → [`json`] (strict
//! RFC 8259) → [`schema`] (payload validation) → [`rpc`] (OCPP-J envelope) → [`connection`], which joins them.
//!
//! Rule numbers such as "row 12" or "F5" refer to the OCPP-J rules the product is held to: the table of checks on an inbound
//! frame, lowest row first.

pub mod catalogue;
pub mod connection;
pub mod deflate;
pub mod dialect;
pub mod event;
pub mod fault;
pub mod frame;
pub mod handshake;
pub mod http;
pub mod json;
pub mod limits;
pub mod metering;
pub mod outbound;
pub mod rpc;
pub mod schema;
mod scratch;
pub mod websocket;

pub use catalogue::{ActionId, Catalogue, Kind, VersionId};
pub use connection::{Connection, UsageError};
pub use event::{Event, OwnedEvent};
pub use fault::Fault;
pub use limits::Limits;
