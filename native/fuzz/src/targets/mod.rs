//! What is fuzzed. A target makes an input from chance, or takes a kept one, and checks what must hold.

mod head;
mod message;
mod outbound;
mod stream;

use crate::chance::Chance;
use crate::corpus::{Corpus, Kept};
use crate::subject::Subject;

/// One target.
pub struct Target {
    pub name: &'static str,
    /// Make an input: the random part of a run.
    pub make: fn(&Subject, &mut Chance) -> Vec<u8>,
    /// Check an input; `chance` chooses the set-up and how the bytes are cut.
    pub check: fn(&mut Subject, &[u8], &mut Chance),
    /// Its part of the corpus.
    pub kept: fn(&Corpus) -> &[Kept],
    /// How often a kept input is checked, each time with another set-up.
    pub setups: u64,
    /// Outcomes that a run of some length must have seen.
    pub sees: &'static [&'static str],
}

pub const TARGETS: [Target; 4] = [head::TARGET, stream::TARGET, message::TARGET, outbound::TARGET];
