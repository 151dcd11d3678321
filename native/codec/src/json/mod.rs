//! Strict RFC 8259 without a tree: a scanner over validated UTF-8, and a writer for the little JSON we make ourselves.

pub mod keys;
pub mod scan;
pub mod write;

pub use scan::{NotJson, Number, Scanner, Text, Token};
