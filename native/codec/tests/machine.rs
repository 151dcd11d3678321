//! The machine from outside. Every case runs twice, with its bytes at once and one by one, and must give the same events.

#[cfg(test)]
#[path = "machine/closing.rs"]
mod closing;
#[cfg(test)]
#[path = "machine/compression.rs"]
mod compression;
#[cfg(test)]
#[path = "machine/envelope.rs"]
mod envelope;
#[cfg(test)]
#[path = "machine/framing.rs"]
mod framing;
#[cfg(test)]
#[path = "machine/handshake.rs"]
mod handshake;
#[cfg(test)]
#[path = "machine/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "machine/outgoing.rs"]
mod outgoing;
#[cfg(test)]
#[path = "machine/support.rs"]
mod support;
#[cfg(test)]
#[cfg(test)]
#[path = "machine/validation.rs"]
mod validation;
