//! JSON strings we write ourselves.

/// Append `text` as a JSON string.
pub fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // All but a few texts are plain, and leave in one piece.
    while let Some(at) = rest.bytes().position(|b| b < 0x20 || b == b'"' || b == b'\\') {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = special.chars();
        if let Some(c) = chars.next() {
            escaped(out, c);
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn escaped(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => {
            out.push_str("\\u00");
            for shift in [4, 0] {
                out.push(char::from_digit((c as u32 >> shift) & 15, 16).unwrap_or('0'));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_written_reads_back() {
        for text in ["", "plain", "q\"b\\n\nr\rt\t", "\u{1}\u{1f}\u{7f}", "ü€😀", "\"", "\"\"", "ü\"€", "end\\"]
        {
            let mut out = String::new();
            super::string(&mut out, text);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
