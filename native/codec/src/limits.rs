//! What a peer may make us hold or walk through.

/// Limits of one connection. They hold inside the machine, not in the socket loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message after reassembly and inflation.
    pub max_message: usize,
    /// Bytes of the HTTP request head, and of frames that arrive before the handshake is decided.
    pub max_head: usize,
    /// Header lines of the HTTP request, the request line not counted.
    pub max_header_lines: usize,
    /// Nesting of JSON arrays and objects, the array of the OCPP-J frame counted as the first level.
    pub max_depth: usize,
    /// Members of one JSON object.
    pub max_keys: usize,
    /// Elements of one JSON array.
    pub max_items: usize,
    /// Characters of one JSON number.
    pub max_number_length: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 65_536,
            max_head: 8_192,
            max_header_lines: 64,
            max_depth: 32,
            max_keys: 1_000,
            max_items: 10_000,
            max_number_length: 40,
        }
    }
}

impl Limits {
    /// Recursion follows the depth of the input, so the configurable depth has a ceiling that any thread's stack carries.
    pub const DEPTH_CEILING: usize = 128;

    /// The depth in force: the configured one below the ceiling.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.max_depth.min(Self::DEPTH_CEILING)
    }
}
