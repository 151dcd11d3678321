//! The program as its driver sees it, against a CSMS of the test.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "that is how tests fail")]

mod csms;

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use csms::Csms;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_csms-fleet");
const LONGEST: Duration = Duration::from_secs(20);

/// The program under its plan; it is ended with the test.
struct Fleet {
    process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
}

impl Fleet {
    fn start(plan: &Value) -> Self {
        let mut process = Command::new(PROGRAM).arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let input = process.stdin.take();
        let mut fleet = Self { process, input, lines };
        fleet.order(plan);
        fleet
    }

    /// Started, and all its stations ready.
    fn ready(plan: &Value) -> (Self, Value) {
        let fleet = Self::start(plan);
        let ready = fleet.next("ready");
        (fleet, ready)
    }

    fn order(&mut self, order: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{order}").unwrap();
    }

    /// The next line of this type.
    fn next(&self, kind: &str) -> Value {
        let until = Instant::now() + LONGEST;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no {kind}"));
            if line["type"] == kind {
                return line;
            }
        }
    }

    fn run(&mut self, seconds: f64) -> Value {
        self.order(&json!({"order": "run", "seconds": seconds, "name": "test"}));
        self.next("result")
    }

    /// The exit code, once its input is closed.
    fn end(&mut self) -> Option<i32> {
        drop(self.input.take());
        self.exit()
    }

    fn exit(&mut self) -> Option<i32> {
        let until = Instant::now() + LONGEST;
        while Instant::now() < until {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not end");
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // it has ended already, unless the test failed
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn plan(csms: &Csms, stations: u32, charging: f64) -> Value {
    json!({
        "url": csms.url(),
        "sources": ["127.0.1.1", "127.0.1.2"],
        "connect": {"retry_first_s": 0.1},
        "groups": [{"name": "all", "prefix": "T-", "stations": stations,
            "behaviour": {"heartbeat_s": null, "charging": charging, "meter_values_s": 0.1}}],
    })
}

fn count(histogram: &Value, from_us: u64) -> u64 {
    let buckets = histogram["buckets"].as_array().unwrap();
    let part = |bucket: &&Value| bucket[0].as_u64().unwrap() >= from_us;
    buckets.iter().filter(part).map(|bucket| bucket[1].as_u64().unwrap()).sum()
}

#[test]
fn a_run_sends_what_is_due_and_counts_the_answers() {
    let csms = Csms::start();
    for threads in [1, 2] {
        let mut plan = plan(&csms, 20, 0.5);
        plan["threads"] = json!(threads);
        let (mut fleet, ready) = Fleet::ready(&plan);
        assert_eq!((&ready["connected"], &ready["accepted"], &ready["charging"]), (&json!(20), &json!(20), &json!(10)));
        assert_eq!((&ready["connect"]["count"], &ready["accepted_after"]["count"]), (&json!(20), &json!(20)));
        let before = csms.calls("MeterValues").len();
        assert_eq!(csms.calls("Heartbeat").len(), 0);
        let result = fleet.run(1.0);
        let calls = csms.calls("MeterValues").split_off(before);
        let sent = calls.len() as u64;
        // ten a second of each of the ten that charge; one whose turn is at the very end belongs to it or not
        assert!((95..=100).contains(&sent), "{sent}");
        assert_eq!((&result["sent"], &result["answered"]), (&json!(sent), &json!(sent)));
        assert_eq!(
            (&result["partial"], &result["unanswered"], &result["errors"]),
            (&json!(false), &json!(0), &json!({}))
        );
        let latency = &result["latency"]["MeterValues"];
        assert_eq!((latency["count"].as_u64(), count(latency, 0)), (Some(sent), sent));
        assert_eq!(count(&result["latency"]["all"], 0), sent);
        let rows = result["per_second"].as_array().unwrap();
        assert_eq!(rows.iter().map(|row| row["answered"].as_u64().unwrap()).sum::<u64>(), sent);
        let ids: HashSet<(String, Value)> =
            calls.iter().map(|call| (call.identity.clone(), call.frame()[1].clone())).collect();
        assert_eq!(ids.len() as u64, sent, "every id is unique");
        assert!(calls.iter().all(|call| call.text.len() == 728));
        // a second run is a new count
        assert!((95..=100).contains(&fleet.run(1.0)["answered"].as_u64().unwrap()));
        assert_eq!(fleet.end(), Some(0));
    }
}

#[test]
fn a_pause_of_the_server_is_not_hidden() {
    let csms = Csms::start();
    let (mut fleet, _) = Fleet::ready(&plan(&csms, 10, 1.0));
    fleet.order(&json!({"order": "run", "seconds": 2.0}));
    std::thread::sleep(Duration::from_millis(700));
    csms.stall(Duration::from_millis(500));
    let result = fleet.next("result");
    let latency = &result["latency"]["MeterValues"];
    // each of ten stations has five messages due in these 500 ms, which wait for 500, 400, 300, 200 and 100 of them
    assert!(latency["max_us"].as_u64().unwrap() >= 400_000, "{latency}");
    for (from, least) in [(350_000, 10), (250_000, 20), (150_000, 30)] {
        assert!(count(latency, from) >= least, "{from}: {latency}");
    }
    let sent = result["sent"].as_u64().unwrap();
    assert!((195..=200).contains(&sent), "the schedule goes on: {sent}");
    assert_eq!(result["answered"], sent);
    assert_eq!(fleet.end(), Some(0));
}

#[test]
fn an_unanswered_reading_is_sent_again_after_a_cut() {
    let csms = Csms::start();
    let (mut fleet, _) = Fleet::ready(&plan(&csms, 4, 1.0));
    csms.set_deaf(true);
    fleet.order(&json!({"order": "run", "seconds": 1.5}));
    while csms.calls("MeterValues").len() < 4 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let first = csms.calls("MeterValues");
    csms.set_deaf(false);
    fleet.order(&json!({"order": "cut", "fraction": 1.0, "how": "reset"}));
    let result = fleet.next("result");
    assert_eq!((&result["resent"], &result["reconnects"], &result["unanswered"]), (&json!(4), &json!(4), &json!(0)));
    assert_eq!(result["accepted_after"]["count"], 4);
    assert_eq!(result["answered"], result["sent"]);
    let all = csms.calls("MeterValues");
    for call in first {
        let same = all.iter().filter(|other| other.identity == call.identity && other.text == call.text);
        assert_eq!(same.count(), 2, "the same message with the same id: {call:?}");
    }
    assert_eq!(csms.calls("BootNotification").len(), 8);
    assert_eq!(fleet.end(), Some(0));
}

#[test]
fn an_interrupted_run_gives_what_it_has() {
    let csms = Csms::start();
    for signal in [None, Some("-TERM"), Some("-INT")] {
        let (mut fleet, _) = Fleet::ready(&plan(&csms, 10, 1.0));
        fleet.order(&json!({"order": "run", "seconds": 600.0}));
        std::thread::sleep(Duration::from_millis(400));
        let code = match signal {
            None => fleet.end(),
            Some(signal) => {
                let pid = fleet.process.id().to_string();
                assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
                fleet.exit()
            }
        };
        assert_eq!(code, Some(0));
        let result = fleet.next("result");
        assert_eq!(result["partial"], true);
        assert!(result["answered"].as_u64().unwrap() >= 10, "{result}");
        assert!(result["seconds"].as_f64().unwrap() < 5.0);
    }
}

#[test]
fn a_wrong_plan_names_the_field() {
    let csms = Csms::start();
    let mut wrong = plan(&csms, 1, 1.0);
    wrong["groups"][0]["behaviour"]["sesion_s"] = json!(1);
    for arguments in [vec!["-"], vec!["--check", "-"]] {
        let mut process = Command::new(PROGRAM);
        process.args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut process = process.spawn().unwrap();
        writeln!(process.stdin.take().unwrap(), "{wrong}").unwrap();
        let output = process.wait_with_output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(error.contains("groups[0].behaviour.sesion_s") && error.lines().count() == 1, "{error}");
    }
    assert!(csms.calls("BootNotification").is_empty());
}

#[test]
fn orders_that_cannot_be_followed_are_told() {
    let csms = Csms::start();
    let (mut fleet, _) = Fleet::ready(&plan(&csms, 1, 0.0));
    fleet.order(&json!({"order": "run", "seconds": -1}));
    assert!(fleet.next("error")["message"].as_str().unwrap().contains("seconds"));
    fleet.order(&json!({"order": "finish"}));
    assert_eq!(fleet.exit(), Some(0));
}

#[test]
fn a_refused_handshake_is_tried_again_and_counted() {
    let csms = Csms::start();
    csms.refuse(3);
    let (mut fleet, ready) = Fleet::ready(&plan(&csms, 2, 0.0));
    assert_eq!((&ready["connected"], &ready["connect_failures"]), (&json!(2), &json!({"HTTP 503": 3})));
    assert_eq!(fleet.end(), Some(0));
}

#[test]
fn commands_are_answered() {
    let csms = Csms::start();
    let (mut fleet, _) = Fleet::ready(&plan(&csms, 1, 0.0));
    csms.say(&json!([2, "a", "RemoteStartTransaction", {"idTag": "REMOTE"}]));
    csms.say(&json!([2, "b", "Unheard", {}]));
    let until = Instant::now() + LONGEST;
    while (csms.answers().len() < 2 || csms.calls("StartTransaction").is_empty()) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    let answers = csms.answers();
    assert_eq!(answers[0], json!([3, "a", {"status": "Accepted"}]));
    assert_eq!((&answers[1][0], &answers[1][2]), (&json!(4), &json!("NotImplemented")));
    assert_eq!(csms.calls("StartTransaction")[0].frame()[3]["idTag"], "REMOTE");
    assert_eq!(fleet.run(0.2)["commands_answered"], 2);
    assert_eq!(fleet.end(), Some(0));
}

#[test]
fn bad_stations_are_counted_apart() {
    let csms = Csms::start();
    let mut plan = plan(&csms, 1, 1.0);
    let group = |name: &str, first: u32, kind: &str| {
        let fault = json!({"kind": kind, "every_s": 0.2});
        json!({"name": name, "prefix": "T-", "first": first, "stations": 1, "fault": fault})
    };
    let groups = plan["groups"].as_array_mut().unwrap();
    groups.extend([group("comes and goes", 2, "reconnecting"), group("floods", 3, "flood")]);
    let (mut fleet, ready) = Fleet::ready(&plan);
    assert_eq!((&ready["connected"], &ready["accepted"]), (&json!(1), &json!(1)));
    let result = fleet.run(1.0);
    assert!(result["faults"]["comes and goes: connected, then reset"].as_u64().unwrap() >= 3, "{}", result["faults"]);
    assert!(result["faults"]["floods: answered"].as_u64().unwrap() >= 300, "{}", result["faults"]);
    assert_eq!((&result["errors"], &result["cuts"]), (&json!({}), &json!({})));
    assert_eq!(fleet.end(), Some(0));
}

#[test]
fn requests_go_out_at_their_rate() {
    let csms = Csms::start();
    let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = web.local_addr().unwrap();
    let (seen, requests) = channel();
    std::thread::spawn(move || {
        for stream in web.incoming().map_while(Result::ok) {
            let seen = seen.clone();
            std::thread::spawn(move || answer_requests(stream, &seen));
        }
    });
    let mut plan = plan(&csms, 3, 0.0);
    plan["http"] = json!([{
        "name": "commands", "url": format!("http://{address}"), "method": "POST", "path": "/stations/{station}/commands",
        "headers": {"authorization": "Bearer x"}, "body": "{\"number\": {seq}}", "per_second": 50, "connections": 4,
    }]);
    let (mut fleet, _) = Fleet::ready(&plan);
    let result = fleet.run(1.0);
    let load = &result["http"]["commands"];
    assert_eq!((&load["sent"], &load["answered"], &load["errors"]), (&json!(50), &json!(40), &json!({"HTTP 500": 10})));
    assert_eq!(count(&load["latency"], 0), 40);
    let requests: Vec<String> = requests.try_iter().collect();
    assert_eq!(requests.len(), 50);
    assert!(
        requests.iter().all(|request| request.starts_with("POST /stations/T-00000") && request.contains("Bearer x"))
    );
    assert!(requests.iter().any(|request| request.ends_with("{\"number\": 50}")), "{requests:?}");
    assert_eq!(fleet.end(), Some(0));
}

/// Answers with 200, and every fifth request with 500.
fn answer_requests(mut stream: std::net::TcpStream, seen: &std::sync::mpsc::Sender<String>) {
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).unwrap_or(0);
        if read == 0 {
            return;
        }
        let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
        let status = if request.ends_with("0}") || request.ends_with("5}") { "500 Broken" } else { "200 OK" };
        seen.send(request).unwrap();
        if write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}").is_err() {
            return;
        }
    }
}
