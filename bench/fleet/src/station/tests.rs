use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Kind, Station};
use crate::answers::Answers;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::plan::{Behaviour, Plan, Version};
use crate::tally::RunTally;
use crate::world::{Run, World};

struct Bench {
    world: World,
    station: Station,
    now: Instant,
}

impl Bench {
    fn new(version: Version, behaviour: Behaviour, begins: &[bool]) -> Self {
        let plan = r#"{"url":"ws://x","groups":[{"name":"g","prefix":"T-","stations":1}],"boot_retry_longest_s":20}"#;
        let clock = Clock::new();
        let world = World::new(&Plan::parse(plan).unwrap(), clock, Answers::load().unwrap());
        let kind = Rc::new(Kind { version, behaviour, serial_number: None });
        let mut station = Station::new("T-000007".into(), 7, kind, Chance::new(1, 7), begins, clock.began());
        world.tally.borrow_mut().gauges.unaccepted = 1;
        world.tally.borrow_mut().gauges.unsettled = station.awaited();
        station.connected(&world, clock.began());
        Self { world, station, now: clock.began() }
    }

    /// The frames that go out now.
    fn frames(&mut self) -> Vec<Value> {
        self.station.advance(&self.world, self.now);
        let mut frames = Vec::new();
        while let Some(frame) = self.station.next_frame(&self.world, self.now) {
            frames.push(serde_json::from_str(&frame).unwrap());
        }
        frames
    }

    /// The only frame that goes out now.
    fn frame(&mut self) -> Value {
        let mut frames = self.frames();
        assert_eq!(frames.len(), 1, "{frames:?}");
        frames.remove(0)
    }

    fn receive(&mut self, frame: &Value) {
        self.station.received(&self.world, &frame.to_string(), self.now).unwrap();
    }

    /// Answer all CALLs until none comes any more; gives them.
    fn serve(&mut self) -> Vec<Value> {
        let mut calls = Vec::new();
        loop {
            let frames = self.frames();
            if frames.is_empty() {
                return calls;
            }
            for call in frames {
                let answer = match call[2].as_str().unwrap() {
                    "BootNotification" => {
                        json!({"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 300})
                    }
                    "StartTransaction" => json!({"transactionId": 1_234_567_890, "idTagInfo": {"status": "Accepted"}}),
                    "Authorize" if call[3].get("idTag").is_some() => json!({"idTagInfo": {"status": "Accepted"}}),
                    "Authorize" => json!({"idTokenInfo": {"status": "Accepted"}}),
                    _ => json!({}),
                };
                self.receive(&json!([3, call[1], answer]));
                calls.push(call);
            }
        }
    }

    fn begin_run(&mut self, length: f64) -> Run {
        let run = Run { number: 1, began: self.now, end: self.now + Duration::from_secs_f64(length), speed: 1.0 };
        self.world.set_run(Some(run));
        self.world.tally.borrow_mut().run = Some(RunTally::new(1, run.began));
        self.station.begin_run(run);
        run
    }

    fn pass(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
    }
}

fn names(calls: &[Value]) -> Vec<String> {
    let name = |call: &Value| {
        let detail =
            call[3].get("status").or_else(|| call[3].get("connectorStatus")).or_else(|| call[3].get("eventType"));
        format!(
            "{}{}",
            call[2].as_str().unwrap(),
            detail.map_or(String::new(), |detail| format!(" {}", detail.as_str().unwrap()))
        )
    };
    calls.iter().map(name).collect()
}

fn charging(meter_values_s: f64) -> Behaviour {
    Behaviour { meter_values_s, heartbeat_s: None, ..Behaviour::default() }
}

#[test]
fn a_session_of_16_has_its_messages_in_order() {
    let mut bench = Bench::new(Version::V16, Behaviour { session_s: Some(5.0), ..charging(1.0) }, &[true]);
    let calls = bench.serve();
    let begin = [
        "BootNotification",
        "StatusNotification Available",
        "StatusNotification Preparing",
        "Authorize",
        "StartTransaction",
        "StatusNotification Charging",
    ];
    assert_eq!(names(&calls), begin);
    assert_eq!(calls[3][3]["idTag"], "BENCH000007-1");
    let gauges = bench.world.tally.borrow().gauges;
    assert_eq!((gauges.charging, gauges.unaccepted, gauges.unsettled, gauges.waiting), (1, 0, 0, 0));
    bench.begin_run(1000.0);
    bench.pass(999.0);
    let calls = bench.serve();
    let end = ["StopTransaction", "StatusNotification Finishing", "StatusNotification Available"];
    assert_eq!(names(&calls)[calls.len() - 3..], end);
    assert!(names(&calls)[..calls.len() - 3].iter().all(|name| name == "MeterValues"));
    assert_eq!(calls[calls.len() - 3][3]["transactionId"], 1_234_567_890);
    assert_eq!(bench.world.tally.borrow().gauges.charging, 0);
}

#[test]
fn a_session_of_2x_counts_its_events() {
    let mut bench = Bench::new(Version::V201, Behaviour { session_s: Some(5.0), ..charging(1.0) }, &[true]);
    let begin = bench.serve();
    let expected = [
        "BootNotification",
        "StatusNotification Available",
        "StatusNotification Occupied",
        "Authorize",
        "TransactionEvent Started",
    ];
    assert_eq!(names(&begin), expected);
    bench.begin_run(1000.0);
    bench.pass(999.0);
    let calls = bench.serve();
    let events: Vec<&Value> = begin.iter().chain(&calls).filter(|call| call[2] == "TransactionEvent").collect();
    assert!(events.len() > 2, "{events:?}");
    let ids: Vec<&Value> = events.iter().map(|event| &event[3]["transactionInfo"]["transactionId"]).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event[3]["seqNo"], number);
    }
    let times: Vec<&str> = events.iter().map(|event| event[3]["timestamp"].as_str().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert_eq!(names(&calls).last().unwrap(), "StatusNotification Available");
}

#[test]
fn one_call_is_in_flight_and_ids_differ() {
    let mut bench = Bench::new(Version::V16, charging(1.0), &[true]);
    let calls = bench.serve();
    bench.begin_run(100.0);
    bench.pass(10.0);
    let waiting = bench.frame();
    assert_eq!(waiting[2], "MeterValues");
    assert!(bench.frames().is_empty());
    bench.receive(&json!([3, "another", {}]));
    assert!(bench.frames().is_empty(), "an answer to something else frees nothing");
    bench.receive(&json!([3, waiting[1], {}]));
    let later = bench.serve();
    let mut ids: Vec<&Value> = calls.iter().chain([&waiting]).chain(&later).map(|call| &call[1]).collect();
    let all = ids.len();
    ids.sort_by_key(|id| id.to_string());
    ids.dedup();
    assert_eq!(ids.len(), all);
    assert_eq!(later.len(), 9);
}

#[test]
fn meter_values_of_five_samples_have_728_bytes() {
    for transaction in [7_i64, 1_234_567_890] {
        let mut bench = Bench::new(Version::V16, charging(1.0), &[true]);
        bench.serve();
        bench.station.connectors[0].transaction = transaction;
        bench.begin_run(100.0);
        bench.pass(3.0);
        bench.station.advance(&bench.world, bench.now);
        let frame = bench.station.next_frame(&bench.world, bench.now).unwrap();
        assert_eq!(frame.len(), 728, "{frame}");
        let call: Value = serde_json::from_str(&frame).unwrap();
        assert!(call[1].as_str().unwrap().len() <= 36);
        assert_eq!(call[3]["meterValue"][0]["sampledValue"].as_array().unwrap().len(), 5);
    }
}

#[test]
fn latency_counts_from_when_a_message_was_due() {
    let mut bench = Bench::new(Version::V16, charging(1.0), &[true]);
    bench.serve();
    bench.begin_run(10.0);
    // the station comes to itself five seconds late, and the answers take no time
    bench.pass(5.0);
    bench.serve();
    let tally = bench.world.tally.borrow();
    let run = tally.run.as_ref().unwrap();
    let (_, latencies) = run.latencies().next().unwrap();
    assert_eq!((latencies.count(), run.open), (5, 0));
    let longest = latencies.max_ms().unwrap();
    assert!((4000.0..5005.0).contains(&longest), "{longest}");
}

#[test]
fn what_belongs_to_a_transaction_outlives_a_cut() {
    let mut bench = Bench::new(Version::V16, Behaviour { status_s: Some(1.0), ..charging(1.0) }, &[true]);
    bench.serve();
    bench.begin_run(100.0);
    bench.pass(0.999);
    let sent = loop {
        let frame = bench.frame();
        if frame[2] == "MeterValues" {
            break frame;
        }
        bench.receive(&json!([3, frame[1], {}]));
    };
    bench.pass(2.0);
    assert!(bench.frames().is_empty());
    bench.station.disconnected(&bench.world);
    bench.pass(1.0);
    bench.station.connected(&bench.world, bench.now);
    let calls = bench.serve();
    assert_eq!(calls[0][2], "BootNotification");
    assert_eq!(calls[1], sent, "the same message, with the same id, comes first");
    let tally = bench.world.tally.borrow();
    let run = tally.run.as_ref().unwrap();
    assert_eq!((run.resent, run.open), (1, 0));
    assert!(run.dropped >= 1, "states of before the cut are not sent");
    assert_eq!(calls.iter().filter(|call| call[2] == "MeterValues").count(), 4);
}

#[test]
fn an_unaccepted_station_boots_again_and_says_nothing_else() {
    let mut bench = Bench::new(Version::V16, charging(1.0), &[false]);
    for (status, interval, wait) in [("Pending", 5, 5.0), ("Rejected", 3600, 20.0)] {
        let boot = bench.frame();
        assert_eq!(boot[2], "BootNotification");
        bench.receive(
            &json!([3, boot[1], {"status": status, "interval": interval, "currentTime": "2026-01-01T00:00:00Z"}]),
        );
        bench.pass(wait - 0.01);
        assert!(bench.frames().is_empty());
        bench.pass(0.01);
    }
    assert_eq!(names(&bench.serve()), ["BootNotification", "StatusNotification Available"]);
}

#[test]
fn heartbeats_go_on_between_runs_and_readings_do_not() {
    let mut bench = Bench::new(Version::V16, Behaviour { heartbeat_s: Some(10.0), ..charging(1.0) }, &[true]);
    bench.serve();
    bench.pass(100.0);
    assert_eq!(names(&bench.serve()), vec!["Heartbeat"; 10]);
    let run = bench.begin_run(5.0);
    bench.pass(50.0);
    let now = bench.now;
    bench.station.end_run(&bench.world, run, now);
    bench.world.set_run(None);
    let calls = bench.serve();
    assert_eq!(calls.iter().filter(|call| call[2] == "MeterValues").count(), 5);
    bench.pass(5.0);
    assert!(bench.serve().iter().all(|call| call[2] == "Heartbeat"));
}

#[test]
fn a_refused_token_starts_no_session() {
    let mut bench = Bench::new(Version::V16, charging(1.0), &[true]);
    loop {
        let call = bench.frame();
        match call[2].as_str().unwrap() {
            "BootNotification" => {
                bench.receive(&json!([3, call[1], {"status": "Accepted", "interval": 0, "currentTime": ""}]));
            }
            "Authorize" => {
                bench.receive(&json!([3, call[1], {"idTagInfo": {"status": "Blocked"}}]));
                break;
            }
            _ => bench.receive(&json!([3, call[1], {}])),
        }
    }
    assert_eq!(names(&bench.serve()), ["StatusNotification Available"]);
    let gauges = bench.world.tally.borrow().gauges;
    assert_eq!((gauges.errors, gauges.charging, gauges.unsettled), (1, 0, 0));
}

#[test]
fn a_remote_start_begins_a_session_after_its_answer_and_a_remote_stop_ends_it() {
    let mut bench = Bench::new(Version::V201, charging(1.0), &[false]);
    bench.serve();
    let token = json!({"idToken": "REMOTE", "type": "Central"});
    bench.receive(&json!([2, "s", "RequestStartTransaction", {"idToken": token, "remoteStartId": 42}]));
    let frames = bench.frames();
    assert_eq!(frames[0], json!([3, "s", {"status": "Accepted"}]));
    bench.receive(&json!([3, frames[1][1], {}]));
    let calls = bench.serve();
    let started = &calls[0][3];
    assert_eq!((&started["eventType"], &started["triggerReason"]), (&json!("Started"), &json!("RemoteStart")));
    assert_eq!(started["transactionInfo"]["remoteStartId"], 42);
    assert_eq!(started["idToken"]["idToken"], "REMOTE");
    let id = &started["transactionInfo"]["transactionId"];
    bench.receive(&json!([2, "t", "RequestStopTransaction", {"transactionId": id}]));
    let frames = bench.frames();
    assert_eq!(frames[0], json!([3, "t", {"status": "Accepted"}]));
    assert_eq!((&frames[1][3]["eventType"], &frames[1][3]["triggerReason"]), (&json!("Ended"), &json!("RemoteStop")));
    bench.receive(&json!([2, "u", "RequestStopTransaction", {"transactionId": id}]));
    assert_eq!(bench.frame(), json!([3, "u", {"status": "Rejected"}]));
}

#[test]
fn a_command_is_answered_after_its_delay() {
    let mut bench = Bench::new(Version::V16, Behaviour { command_delay_ms: 500, ..charging(1.0) }, &[false]);
    bench.serve();
    bench.receive(&json!([2, "a", "ClearCache", {}]));
    assert!(bench.frames().is_empty());
    bench.pass(0.5);
    assert_eq!(bench.station.next_due(&bench.world), Some(bench.now));
    assert_eq!(bench.frame(), json!([3, "a", {"status": "Accepted"}]));
}

#[test]
fn in_a_closed_loop_the_next_reading_follows_the_answer() {
    let mut bench = Bench::new(Version::V16, charging(0.0), &[true]);
    bench.serve();
    bench.begin_run(10.0);
    bench.pass(0.001);
    for _ in 0..100 {
        let call = bench.frame();
        assert_eq!(call[2], "MeterValues");
        bench.receive(&json!([3, call[1], {}]));
    }
    bench.pass(10.0);
    let call = bench.frame();
    bench.receive(&json!([3, call[1], {}]));
    assert!(bench.frames().is_empty(), "the run is over");
}

#[test]
fn a_call_without_an_answer_is_an_error_and_frees_the_way() {
    let mut bench = Bench::new(Version::V16, charging(1.0), &[true]);
    bench.serve();
    bench.begin_run(2.0);
    bench.pass(2.0);
    assert_eq!(bench.frame()[2], "MeterValues");
    bench.pass(60.0);
    assert_eq!(bench.frame()[2], "MeterValues");
    let tally = bench.world.tally.borrow();
    assert_eq!(tally.run.as_ref().unwrap().errors.get("no answer in time"), Some(&1));
}
