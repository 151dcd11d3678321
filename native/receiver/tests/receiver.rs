//! The receiver from outside: sockets whose peers say something, and an owner that takes it.

#[cfg(test)]
#[path = "receiver/handing_over.rs"]
mod handing_over;
