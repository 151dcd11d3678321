//! Between the driver and the threads: orders in, lines out, and the end.

use std::future::pending;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use crate::clock::Clock;
use crate::connect::Dialler;
use crate::histogram::Latencies;
use crate::http::Loader;
use crate::orders::{Cut, Order};
use crate::output::{self, Line, Phase, Progress, Times, rounded};
use crate::plan::Plan;
use crate::run::{Running, window};
use crate::shard::{self, Handle, Look, ShardOrder};
use crate::tally::{Connections, Counts, Gauges, add};

const TICK: Duration = Duration::from_secs(1);
/// A thread that does not answer for so long does nothing any more.
const LONGEST_LOOK: Duration = Duration::from_secs(60);
const LONGEST_END: Duration = Duration::from_secs(25);

pub struct Controller {
    clock: Clock,
    shards: Vec<Handle>,
    ready: mpsc::Receiver<shard::Ready>,
    awaited: usize,
    connections: Connections,
    ready_at: Instant,
    loaders: Vec<Rc<Loader>>,
    running: Option<Running>,
    runs: u32,
    cuts: u64,
    seed: u64,
}

impl Controller {
    /// Starts the threads.
    ///
    /// # Errors
    /// There are no threads to be had.
    pub fn start(plan: &Arc<Plan>, clock: Clock, dialler: Dialler, loaders: Vec<Loader>) -> io::Result<Self> {
        let (sender, ready) = mpsc::channel(plan.threads);
        let dialler = Arc::new(dialler);
        let shards = (0..plan.threads)
            .map(|number| shard::spawn(plan, clock, &dialler, number, sender.clone()))
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            clock,
            ready,
            awaited: shards.len(),
            shards,
            connections: Connections::default(),
            ready_at: clock.began(),
            loaders: loaders.into_iter().map(Rc::new).collect(),
            running: None,
            runs: 0,
            cuts: 0,
            seed: plan.seed,
        })
    }

    /// Follow orders until they end, or a signal comes.
    ///
    /// # Errors
    /// A thread has ended, or nobody reads what is written.
    pub async fn serve(mut self, mut lines: mpsc::Receiver<String>) -> io::Result<()> {
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let mut ticks = interval_at((Instant::now() + TICK).into(), TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) if line.is_empty() => {}
                    Some(line) => if self.follow(&line).await? { break },
                    None => break,
                },
                _ = interrupted.recv() => break,
                _ = terminated.recv() => break,
                _ = ticks.tick() => self.tick().await?,
                Some(ready) = self.ready.recv() => self.one_ready(ready).await?,
                over = Self::over(&mut self.running) => {
                    over?;
                    self.tell_result()?;
                }
            }
        }
        self.end().await
    }

    async fn over(running: &mut Option<Running>) -> io::Result<()> {
        match running {
            Some(running) => running.over().await.map_err(io::Error::other),
            None => pending().await,
        }
    }

    /// True when that was the last order.
    async fn follow(&mut self, line: &str) -> io::Result<bool> {
        match Order::parse(line) {
            Ok(Order::Run { .. }) if self.running.is_some() => {
                output::write(&Line::Error { message: "a run is under way".to_owned() })?;
            }
            Ok(Order::Run { seconds, speed, name }) => self.begin_run(seconds, speed, name).await?,
            Ok(Order::Cut { fraction, how }) => self.cut(fraction, how).await?,
            Ok(Order::Finish) => return Ok(true),
            Err(message) => output::write(&Line::Error { message })?,
        }
        Ok(false)
    }

    async fn begin_run(&mut self, length: f64, speed: f64, name: String) -> io::Result<()> {
        self.runs += 1;
        let run = window(self.runs, length, speed);
        let mut reports = Vec::with_capacity(self.shards.len());
        for shard in &self.shards {
            let (report, reported) = oneshot::channel();
            order(shard, ShardOrder::Begin(run, report)).await?;
            reports.push(reported);
        }
        self.running = Some(Running::begin(name, run, reports, &self.loaders));
        Ok(())
    }

    async fn cut(&mut self, fraction: f64, how: Cut) -> io::Result<()> {
        for shard in &self.shards {
            self.cuts += 1;
            order(shard, ShardOrder::Cut { fraction, how, seed: self.seed.wrapping_add(self.cuts) }).await?;
        }
        Ok(())
    }

    async fn look(&self) -> io::Result<Vec<Look>> {
        let mut looks = Vec::with_capacity(self.shards.len());
        for shard in &self.shards {
            let (answer, answered) = oneshot::channel();
            order(shard, ShardOrder::Look(answer)).await?;
            let look = timeout(LONGEST_LOOK, answered).await.map_err(io::Error::other)?;
            looks.push(look.map_err(io::Error::other)?);
        }
        Ok(looks)
    }

    async fn tick(&mut self) -> io::Result<()> {
        let asked = Instant::now();
        let looks = self.look().await?;
        let gauges = sum(&looks);
        let (mut recent, mut cuts, mut connect_failures) = (Latencies::new(), Counts::new(), Counts::new());
        for look in &looks {
            recent.add(&look.recent);
            add(&mut cuts, look.cuts.clone());
            add(&mut connect_failures, look.connect_failures.clone());
        }
        let phase = match &self.running {
            Some(_) => Phase::Running,
            None if gauges.unaccepted > 0 => Phase::Connecting,
            None if self.awaited > 0 => Phase::Preparing,
            None => Phase::Idle,
        };
        if let Some(running) = &mut self.running {
            running.look(looks, asked);
        }
        output::write(&Line::Progress(Progress {
            phase,
            elapsed_s: rounded(self.clock.began().elapsed().as_secs_f64()),
            connected: gauges.connected,
            accepted: gauges.accepted,
            charging: gauges.charging,
            sent: gauges.sent,
            answered: gauges.answered,
            errors: gauges.errors,
            waiting: gauges.waiting,
            cuts,
            connect_failures,
            times: Times::from(&recent),
        }))
    }

    async fn one_ready(&mut self, ready: shard::Ready) -> io::Result<()> {
        self.connections.add(ready.connections);
        self.ready_at = self.ready_at.max(ready.at);
        self.awaited = self.awaited.saturating_sub(1);
        if self.awaited > 0 {
            return Ok(());
        }
        let gauges = sum(&self.look().await?);
        let connections = std::mem::take(&mut self.connections);
        output::write(&Line::Ready(Box::new(output::Ready {
            connected: gauges.connected,
            accepted: gauges.accepted,
            charging: gauges.charging,
            seconds: rounded(self.ready_at.saturating_duration_since(self.clock.began()).as_secs_f64()),
            connect: connections.connect.report(),
            accepted_after: connections.accepted_after.report(),
            connect_failures: connections.connect_failures,
            cuts: connections.cuts,
        })))
    }

    fn tell_result(&mut self) -> io::Result<()> {
        match self.running.take() {
            Some(running) => output::write(&Line::Result(Box::new(running.result()))),
            None => Ok(()),
        }
    }

    /// A run under way gives what it has; then all connections are closed.
    async fn end(mut self) -> io::Result<()> {
        if let Some(running) = &mut self.running {
            for shard in &self.shards {
                order(shard, ShardOrder::Stop).await?;
            }
            running.stop_requests();
            timeout(LONGEST_END, running.over()).await.map_err(io::Error::other)?.map_err(io::Error::other)?;
            self.tell_result()?;
        }
        for shard in &self.shards {
            order(shard, ShardOrder::Finish).await?;
        }
        for shard in self.shards {
            shard.thread.join().map_err(|_| io::Error::other("a thread has panicked"))??;
        }
        Ok(())
    }
}

async fn order(shard: &Handle, order: ShardOrder) -> io::Result<()> {
    shard.orders.send(order).await.map_err(|_| io::Error::other("a thread has ended"))
}

fn sum(looks: &[Look]) -> Gauges {
    let mut gauges = Gauges::default();
    looks.iter().for_each(|look| gauges.add(&look.gauges));
    gauges
}
