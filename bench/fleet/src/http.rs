//! HTTP load: requests at a fixed rate while a run lasts, whether answers come or not.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rand::RngExt as _;
use rand::rngs::SmallRng;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::chance::generator;
use crate::clock::{micros, seconds};
use crate::connect::io_reason;
use crate::histogram::Latencies;
use crate::plan::{HttpLoad, Plan};
use crate::tally::{Counts, count};

const LARGEST_ANSWER: usize = 64 << 20;
/// Requests that wait for a connection at most.
const MOST_WAITING: usize = 100_000;

/// What one load has counted in a run.
#[derive(Default)]
pub struct HttpTally {
    pub sent: u64,
    pub answered: u64,
    pub errors: Counts,
    pub latency: Latencies,
}

/// A load that is ready to run.
pub struct Loader {
    pub name: String,
    load: HttpLoad,
    address: String,
    method: Method,
    headers: HeaderMap,
    identities: Vec<(String, u64, usize)>,
    stations: usize,
    sequence: std::cell::Cell<u64>,
    random: RefCell<SmallRng>,
}

struct Job {
    due: Instant,
    station: String,
    sequence: u64,
}

struct Queue {
    jobs: RefCell<VecDeque<Job>>,
    more: Notify,
}

impl Loader {
    /// # Errors
    /// One line that names the field of the plan that is wrong.
    pub fn new(plan: &Plan, place: usize, load: &HttpLoad) -> Result<Self, String> {
        let of = |field: &str| format!("http[{place}].{field}");
        let uri: Uri = load.url.parse().map_err(|error| format!("{}: {error}", of("url")))?;
        let host = uri.host().ok_or_else(|| format!("{}: has no host", of("url")))?;
        let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        let mut headers = HeaderMap::new();
        for (name, value) in &load.headers {
            let name = HeaderName::try_from(name).map_err(|error| format!("{}: {error}", of("headers")))?;
            let value = HeaderValue::try_from(value).map_err(|error| format!("{}: {error}", of("headers")))?;
            headers.insert(name, value);
        }
        headers
            .entry("host")
            .or_insert(HeaderValue::try_from(&address).map_err(|error| format!("{}: {error}", of("url")))?);
        Ok(Self {
            name: load.name.clone(),
            method: Method::from_bytes(load.method.as_bytes()).map_err(|error| format!("{}: {error}", of("method")))?,
            load: load.clone(),
            address,
            headers,
            identities: plan.groups.iter().map(|group| (group.prefix.clone(), group.first, group.stations)).collect(),
            stations: plan.stations(),
            sequence: std::cell::Cell::new(0),
            random: RefCell::new(generator(plan.seed.wrapping_add(place as u64))),
        })
    }

    /// Send what is due until `end`, then wait for the answers up to `longest`. What is counted stands in `tally` at any time.
    pub async fn run(self: Rc<Self>, began: Instant, end: Instant, longest: Duration, tally: Rc<RefCell<HttpTally>>) {
        let queue = Rc::new(Queue { jobs: RefCell::default(), more: Notify::new() });
        let mut workers = JoinSet::new();
        for _ in 0..self.load.connections {
            workers.spawn_local(Rc::clone(&self).work(Rc::clone(&queue), end, Rc::clone(&tally)));
        }
        for number in 0_u32.. {
            let due = began + seconds(f64::from(number) / self.load.per_second);
            if due >= end {
                break;
            }
            sleep_until(due.into()).await;
            if queue.jobs.borrow().len() >= MOST_WAITING {
                count(&mut tally.borrow_mut().errors, "no room to wait for a connection");
                continue;
            }
            queue.jobs.borrow_mut().push_back(self.job(due));
            queue.more.notify_one();
        }
        queue.more.notify_waiters();
        let all = async { while workers.join_next().await.is_some() {} };
        // whoever has no answer by then is given up with the workers
        let _ = timeout(longest, all).await;
    }

    fn job(&self, due: Instant) -> Job {
        let mut place = self.random.borrow_mut().random_range(0..self.stations.max(1));
        let mut station = String::new();
        for (prefix, first, stations) in &self.identities {
            if place < *stations {
                station = format!("{prefix}{:06}", first.saturating_add(place as u64));
                break;
            }
            place -= stations;
        }
        self.sequence.set(self.sequence.get() + 1);
        Job { due, station, sequence: self.sequence.get() }
    }

    /// One connection: take what is due, one after the other.
    async fn work(self: Rc<Self>, queue: Rc<Queue>, end: Instant, tally: Rc<RefCell<HttpTally>>) {
        let mut connection = None;
        loop {
            let job = queue.jobs.borrow_mut().pop_front();
            let Some(job) = job else {
                if Instant::now() >= end {
                    return;
                }
                // the end of the run wakes nobody whose turn to wait has not come yet
                let _ = tokio::time::timeout_at(end.into(), queue.more.notified()).await;
                continue;
            };
            tally.borrow_mut().sent += 1;
            let asked = timeout(seconds(self.load.timeout_s), self.ask(&mut connection, &job)).await;
            let mut tally = tally.borrow_mut();
            match asked.unwrap_or_else(|_| Err("timeout".to_owned())) {
                Ok(()) => {
                    tally.answered += 1;
                    tally.latency.record(micros(job.due.elapsed()));
                }
                Err(reason) => {
                    connection = None;
                    count(&mut tally.errors, &reason);
                }
            }
        }
    }

    async fn ask(&self, connection: &mut Option<SendRequest<Full<Bytes>>>, job: &Job) -> Result<(), String> {
        let mut sender = match connection.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await.map_err(|error| reason(&error))?;
        let fill = |text: &str| text.replace("{station}", &job.station).replace("{seq}", &job.sequence.to_string());
        let body = self.load.body.as_deref().map(fill).unwrap_or_default();
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = fill(&self.load.path).parse().map_err(|error| format!("path: {error}"))?;
        *request.headers_mut() = self.headers.clone();
        let answer = sender.send_request(request).await.map_err(|error| reason(&error))?;
        let status = answer.status().as_u16();
        // read to its end: only then the connection is free again
        Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await.map_err(|error| format!("{error:.80}"))?;
        *connection = Some(sender);
        if self.load.expect.contains(&status) { Ok(()) } else { Err(format!("HTTP {status}")) }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream = TcpStream::connect(&self.address).await.map_err(|error| io_reason(&error))?;
        stream.set_nodelay(true).map_err(|error| io_reason(&error))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| reason(&error))?;
        // it ends with its sender; what goes wrong with it is told to the request
        tokio::task::spawn_local(async move { connection.await.unwrap_or_default() });
        Ok(sender)
    }
}

fn reason(error: &hyper::Error) -> String {
    if error.is_canceled() || error.is_closed() || error.is_incomplete_message() {
        "connection closed".to_owned()
    } else {
        format!("{:.80}", error.to_string())
    }
}
