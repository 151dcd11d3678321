//! Inputs kept in the repository: one folder a target, one file an input, named by what it shows.

use std::fs;
use std::path::Path;

/// One kept input.
pub struct Kept {
    pub name: String,
    pub input: Vec<u8>,
}

#[derive(Default)]
pub struct Corpus {
    /// Raw bytes of HTTP requests.
    pub heads: Vec<Kept>,
    /// Bytes of WebSocket frames, written in hexadecimal; `#` begins a comment.
    pub streams: Vec<Kept>,
    /// Texts of OCPP-J messages.
    pub messages: Vec<Kept>,
    /// Calls of the encoders: what, message id, action or code, description, then the payload, a line each.
    pub outbound: Vec<Kept>,
}

impl Corpus {
    /// Read the corpus.
    pub fn read(folder: &Path) -> Self {
        let streams = files(&folder.join("stream"))
            .into_iter()
            .map(|Kept { name, input }| Kept { input: unhex(&String::from_utf8(input).expect("hexadecimal")), name })
            .collect();
        Self {
            heads: files(&folder.join("head")),
            streams,
            messages: files(&folder.join("message")),
            outbound: files(&folder.join("outbound")),
        }
    }
}

fn files(folder: &Path) -> Vec<Kept> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut kept: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| Kept {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            input: fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        })
        .collect();
    kept.sort_by(|a, b| a.name.cmp(&b.name));
    kept
}

/// Bytes from hexadecimal text with comments.
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().chars())
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8)
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Hexadecimal text of bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
