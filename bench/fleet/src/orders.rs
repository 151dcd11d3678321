//! What the driver says: one JSON object a line on standard input.

use std::io::BufRead as _;

use serde::Deserialize;
use tokio::sync::mpsc;

/// A longer line is no order.
const LONGEST_LINE: usize = 1 << 20;
const MOST_WAITING: usize = 64;
const LONGEST_RUN_S: f64 = 10_000_000.0;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    Run {
        seconds: f64,
        #[serde(default = "one")]
        speed: f64,
        #[serde(default)]
        name: String,
    },
    Cut {
        fraction: f64,
        #[serde(default)]
        how: Cut,
    },
    Finish,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    #[default]
    Reset,
    Close,
}

const fn one() -> f64 {
    1.0
}

impl Order {
    /// # Errors
    /// One line that says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, String> {
        let order: Self = serde_json::from_str(line).map_err(|error| error.to_string())?;
        match &order {
            Self::Run { seconds, .. } if !(0.001..=LONGEST_RUN_S).contains(seconds) => {
                Err(format!("seconds: must be 0.001 to {LONGEST_RUN_S}"))
            }
            Self::Run { speed, .. } if !(0.000_001..=1_000_000.0).contains(speed) => {
                Err("speed: must be 0.000001 to 1000000".to_owned())
            }
            Self::Cut { fraction, .. } if !(0.0..=1.0).contains(fraction) => Err("fraction: must be 0 to 1".to_owned()),
            _ => Ok(order),
        }
    }
}

/// The lines of standard input as they come; the channel closes with its end. It is read in a thread of its own, which blocks.
pub fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(MOST_WAITING);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = std::io::Read::take(&mut input, LONGEST_LINE as u64);
            match limited.read_until(b'\n', &mut line) {
                Ok(read) if read > 0 && line.ends_with(b"\n") => {
                    let text = String::from_utf8_lossy(&line).trim().to_owned();
                    if sender.blocking_send(text).is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_and_checked() {
        let run = Order::parse(r#"{"order":"run","seconds":5,"speed":2.0,"name":"x"}"#);
        assert_eq!(run, Ok(Order::Run { seconds: 5.0, speed: 2.0, name: "x".to_owned() }));
        assert_eq!(
            Order::parse(r#"{"order":"cut","fraction":0.5,"how":"close"}"#),
            Ok(Order::Cut { fraction: 0.5, how: Cut::Close })
        );
        assert_eq!(Order::parse(r#"{"order":"finish"}"#), Ok(Order::Finish));
        for (line, named) in [
            (r#"{"order":"run","seconds":-1}"#, "seconds"),
            (r#"{"order":"run","seconds":1,"speed":0}"#, "speed"),
            (r#"{"order":"run","seconds":1,"sped":1}"#, "sped"),
            (r#"{"order":"cut","fraction":2}"#, "fraction"),
            (r#"{"order":"jump"}"#, "jump"),
        ] {
            assert!(Order::parse(line).unwrap_err().contains(named), "{line}");
        }
    }
}
