//! Buffers shared by all connections of a thread, so that none keeps its own between messages.

use std::cell::Cell;

/// A buffer that grew beyond this is given back to the allocator after use.
const KEEP: usize = 128 * 1024;

/// Working memory for one call of the machine.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Unmasked bytes of the current message.
    pub message: Vec<u8>,
    /// The same inflated.
    pub inflated: Vec<u8>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// Run `work` with the thread's buffers. A nested call gets fresh ones.
pub(crate) fn with<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    let mut scratch = SCRATCH.take();
    let result = work(&mut scratch);
    for buffer in [&mut scratch.message, &mut scratch.inflated] {
        buffer.clear();
        buffer.shrink_to(KEEP);
    }
    SCRATCH.set(scratch);
    result
}
