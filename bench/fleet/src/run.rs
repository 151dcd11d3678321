//! A run of all threads and of the HTTP load, put together into its result.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::clock::seconds;
use crate::histogram::Latencies;
use crate::http::{HttpTally, Loader};
use crate::output::{HttpOutcome, Outcome, SecondRow, Times, rounded};
use crate::shard::{LONGEST_DRAIN, Look, RunReport};
use crate::tally::{Connections, RunTally, Second};
use crate::world::Run;

/// A run under way.
pub struct Running {
    name: String,
    run: Run,
    cpu_seconds: f64,
    reports: Vec<oneshot::Receiver<RunReport>>,
    /// Reports that have come.
    done: Vec<RunReport>,
    requests: JoinSet<()>,
    tallies: Vec<(String, Rc<RefCell<HttpTally>>)>,
    seconds: BTreeMap<usize, Second>,
    rows: Vec<SecondRow>,
}

impl Running {
    /// Begins the HTTP load; the threads are told of the run by the caller.
    pub fn begin(name: String, run: Run, reports: Vec<oneshot::Receiver<RunReport>>, loaders: &[Rc<Loader>]) -> Self {
        let mut requests = JoinSet::new();
        let tallies = loaders
            .iter()
            .map(|loader| {
                let tally = Rc::new(RefCell::new(HttpTally::default()));
                requests.spawn_local(Rc::clone(loader).run(run.began, run.end, LONGEST_DRAIN, Rc::clone(&tally)));
                (loader.name.clone(), tally)
            })
            .collect();
        Self {
            name,
            run,
            cpu_seconds: cpu_seconds(),
            reports,
            done: Vec::new(),
            requests,
            tallies,
            seconds: BTreeMap::new(),
            rows: Vec::new(),
        }
    }

    /// Wait for the threads and for the requests. It may be called again after it was cancelled.
    ///
    /// # Errors
    /// A thread has ended.
    pub async fn over(&mut self) -> Result<(), oneshot::error::RecvError> {
        while let Some(report) = self.reports.last_mut() {
            let report = report.await?;
            self.reports.pop();
            self.done.push(report);
        }
        while self.requests.join_next().await.is_some() {}
        Ok(())
    }

    /// Give up the requests that have no answer yet.
    pub fn stop_requests(&mut self) {
        self.requests.abort_all();
    }

    /// Take in what the threads say of seconds that are over; those before `asked` are complete then.
    pub fn look(&mut self, looks: Vec<Look>, asked: Instant) {
        for look in looks {
            self.merge(look.over);
        }
        let complete = usize::try_from(asked.saturating_duration_since(self.run.began).as_secs()).unwrap_or(usize::MAX);
        self.settle(complete);
    }

    /// The result, once it is over.
    pub fn result(mut self) -> Outcome {
        let cpu_seconds = cpu_seconds() - self.cpu_seconds;
        let mut tally = RunTally::new(self.run.number, self.run.began);
        let mut connections = Connections::default();
        let mut partial = false;
        let mut ended = self.run.began;
        for report in std::mem::take(&mut self.done) {
            partial |= report.partial;
            ended = ended.max(report.ended);
            tally.add(report.tally);
            connections.add(report.connections);
            self.merge(report.rest);
        }
        self.settle(usize::MAX);
        let mut all = Latencies::new();
        let mut latency = BTreeMap::new();
        for (action, latencies) in tally.latencies() {
            all.add(latencies);
            latency.insert(action.name(), latencies.report());
        }
        latency.insert("all", all.report());
        let answering = tally.answering().map(|(action, latencies)| (action.name(), latencies.report())).collect();
        let http = self.tallies.iter().map(|(name, tally)| {
            let tally = tally.take();
            let latency = tally.latency.report();
            (name.clone(), HttpOutcome { sent: tally.sent, answered: tally.answered, errors: tally.errors, latency })
        });
        Outcome {
            http: http.collect(),
            name: self.name,
            partial,
            seconds: rounded(ended.saturating_duration_since(self.run.began).as_secs_f64()),
            cpu_seconds: rounded(cpu_seconds),
            sent: tally.sent,
            answered: tally.answered,
            resent: tally.resent,
            dropped: tally.dropped,
            unanswered: tally.open,
            errors: tally.errors,
            cuts: connections.cuts,
            connect_failures: connections.connect_failures,
            reconnects: connections.reconnects,
            commands_answered: connections.commands_answered,
            faults: connections.faults,
            latency,
            answering,
            connect: connections.connect.report(),
            accepted_after: connections.accepted_after.report(),
            per_second: self.rows,
        }
    }

    fn merge(&mut self, over: Vec<(usize, Second)>) {
        for (second, found) in over {
            let merged = self.seconds.entry(second).or_default();
            merged.sent += found.sent;
            merged.answered += found.answered;
            merged.latencies.add(&found.latencies);
        }
    }

    /// Turn the seconds before this one into rows, so that no histogram is kept for each second of a long run.
    fn settle(&mut self, before: usize) {
        while let Some(entry) = self.seconds.first_entry().filter(|entry| *entry.key() < before) {
            let (second, found) = entry.remove_entry();
            while self.rows.len() < second {
                self.rows.push(row(self.rows.len(), &Second::default()));
            }
            if self.rows.len() == second {
                self.rows.push(row(second, &found));
            }
        }
    }
}

fn row(t: usize, second: &Second) -> SecondRow {
    SecondRow { t, sent: second.sent, answered: second.answered, times: Times::from(&second.latencies) }
}

/// A run of this length that begins now.
pub fn window(number: u32, length: f64, speed: f64) -> Run {
    let began = Instant::now();
    Run { number, began, end: began + seconds(length).max(Duration::from_millis(1)), speed }
}

/// CPU time of this process so far, all threads.
fn cpu_seconds() -> f64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |usage| {
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        micros as f64 / 1e6
    })
}
