//! A thread with its share of the stations, all on one event loop.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;

use crate::alarm::Alarm;
use crate::answers::Answers;
use crate::chance::{Chance, chosen};
use crate::clock::Clock;
use crate::connect::{Caller, Dialler};
use crate::faults::{self, BadStation};
use crate::histogram::Latencies;
use crate::link;
use crate::orders::Cut;
use crate::plan::{Plan, Version};
use crate::station::{Kind, Station};
use crate::tally::{Connections, Counts, Gauges, RunTally, Second};
use crate::world::{Run, World};

/// After a run its answers are awaited for so long.
pub const LONGEST_DRAIN: Duration = Duration::from_secs(30);
const DRAIN_LOOK: Duration = Duration::from_millis(5);
const ORDERS: usize = 64;
/// Connections are closed in lots of this size.
const CLOSE_AT_ONCE: usize = 200;
const CLOSE_PAUSE: Duration = Duration::from_millis(10);

/// A well-behaved station.
pub struct Member {
    /// Its place in the whole plan.
    pub number: usize,
    pub station: RefCell<Station>,
    /// Its connection is to be cut.
    pub cut: Cell<Option<Cut>>,
    /// Something was not taken by the socket yet.
    pub unsent: Cell<bool>,
    identity: Rc<str>,
    version: Version,
    password: Option<Rc<str>>,
}

impl Member {
    pub fn caller(&self) -> Caller<'_> {
        Caller {
            number: self.number,
            identity: &self.identity,
            version: self.version,
            password: self.password.as_deref(),
            small_buffers: false,
        }
    }
}

pub struct Shard {
    pub plan: Arc<Plan>,
    pub world: World,
    pub members: Vec<Member>,
    pub dialler: Arc<Dialler>,
    pub alarm: Alarm,
    pub handshakes: Semaphore,
}

impl Shard {
    /// When a station's first attempt to connect is due.
    pub fn first_attempt(&self, number: usize) -> Instant {
        let after = self.plan.connect.per_second.map_or(0.0, |rate| number as f64 / rate);
        self.world.clock.began() + crate::clock::seconds(after)
    }

    /// The alarm rings when the station has something to do next.
    fn rearm(&self, place: usize, member: &Member) {
        let station = member.station.borrow();
        if station.has_to_send() {
            self.alarm.wake(place);
        } else if let Some(due) = station.next_due(&self.world) {
            self.alarm.arm(place, due);
        }
    }

    fn each(&self, mut act: impl FnMut(&mut Station)) {
        for (place, member) in self.members.iter().enumerate() {
            act(&mut member.station.borrow_mut());
            self.rearm(place, member);
        }
    }

    fn cut(&self, fraction: f64, how: Cut, seed: u64) {
        let connected: Vec<(usize, &Member)> =
            self.members.iter().enumerate().filter(|(_, member)| member.station.borrow().is_connected()).collect();
        let amount = (connected.len() as f64 * fraction).round() as usize;
        for ((place, member), is_chosen) in connected.iter().zip(chosen(seed, connected.len(), amount)) {
            if is_chosen {
                member.cut.set(Some(how));
                self.alarm.wake(*place);
            }
        }
    }
}

pub enum ShardOrder {
    Look(oneshot::Sender<Look>),
    Begin(Run, oneshot::Sender<RunReport>),
    /// The run under way ends at once.
    Stop,
    Cut {
        fraction: f64,
        how: Cut,
        seed: u64,
    },
    Finish,
}

/// How a shard stands.
pub struct Look {
    pub gauges: Gauges,
    pub recent: Latencies,
    pub cuts: Counts,
    pub connect_failures: Counts,
    /// Seconds of the run that are over.
    pub over: Vec<(usize, Second)>,
}

pub struct RunReport {
    pub tally: RunTally,
    pub rest: Vec<(usize, Second)>,
    pub connections: Connections,
    pub partial: bool,
    pub ended: Instant,
}

/// All stations of a shard are ready.
pub struct Ready {
    pub at: Instant,
    pub connections: Connections,
}

/// The controller's end of a shard. Dropped, the shard ends.
pub struct Handle {
    pub orders: mpsc::Sender<ShardOrder>,
    pub thread: thread::JoinHandle<io::Result<()>>,
}

/// Starts the thread of a shard.
///
/// # Errors
/// There is no thread to be had.
pub fn spawn(
    plan: &Arc<Plan>,
    clock: Clock,
    dialler: &Arc<Dialler>,
    number: usize,
    ready: mpsc::Sender<Ready>,
) -> io::Result<Handle> {
    let (orders, received) = mpsc::channel(ORDERS);
    let (plan, dialler) = (Arc::clone(plan), Arc::clone(dialler));
    let thread = thread::Builder::new().name(format!("stations-{number}")).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?;
        runtime.block_on(run(plan, clock, dialler, number, received, ready))
    })?;
    Ok(Handle { orders, thread })
}

async fn run(
    plan: Arc<Plan>,
    clock: Clock,
    dialler: Arc<Dialler>,
    number: usize,
    mut orders: mpsc::Receiver<ShardOrder>,
    ready: mpsc::Sender<Ready>,
) -> io::Result<()> {
    let (members, bad) = stations(&plan, number, clock.began());
    let world = World::new(&plan, clock, Answers::load().map_err(io::Error::other)?);
    {
        let gauges = &mut world.tally.borrow_mut().gauges;
        gauges.unaccepted = members.len();
        gauges.unsettled = members.iter().map(|member| member.station.borrow().awaited()).sum();
    }
    world.tell_if_ready();
    let shard = Rc::new(Shard {
        alarm: Alarm::new(members.len())?,
        handshakes: Semaphore::new((plan.connect.at_once / plan.threads).max(1)),
        world,
        members,
        dialler,
        plan,
    });
    let mut tasks: Vec<JoinHandle<()>> = Vec::with_capacity(shard.members.len() + bad.len());
    tasks.extend((0..shard.members.len()).map(|place| tokio::task::spawn_local(link::live(Rc::clone(&shard), place))));
    tasks.extend(bad.into_iter().map(|station| tokio::task::spawn_local(faults::live(Rc::clone(&shard), station))));
    let mut active: Option<Active> = None;
    let ringing = Rc::clone(&shard);
    let mut ringing = tokio::task::spawn_local(async move { ringing.alarm.ring().await });
    loop {
        let next_look = active.as_ref().map_or_else(Instant::now, Active::next_look);
        tokio::select! {
            order = orders.recv() => match order {
                Some(ShardOrder::Look(answer)) => {
                    // a controller that went away needs no answer
                    let _ = answer.send(look(&shard));
                }
                Some(ShardOrder::Begin(run, report)) => active = Some(Active::begin(&shard, run, report)),
                Some(ShardOrder::Stop) => {
                    if let Some(active) = active.take() {
                        active.end(&shard, true);
                    }
                }
                Some(ShardOrder::Cut { fraction, how, seed }) => shard.cut(fraction, how, seed),
                Some(ShardOrder::Finish) | None => break,
            },
            () = shard.world.ready.notified() => {
                let connections = std::mem::take(&mut shard.world.tally.borrow_mut().connections);
                // the controller takes one from each shard
                let _ = ready.send(Ready { at: Instant::now(), connections }).await;
            }
            () = sleep_until(next_look.into()), if active.is_some() => {
                if let Some(mut ending) = active.take() {
                    if ending.is_over(&shard) { ending.end(&shard, false) } else { active = Some(ending) }
                }
            }
            failed = &mut ringing => return failed.map_err(io::Error::other)?,
        }
    }
    for lot in tasks.chunks(CLOSE_AT_ONCE) {
        lot.iter().for_each(JoinHandle::abort);
        tokio::time::sleep(CLOSE_PAUSE).await;
    }
    Ok(())
}

/// A run under way.
struct Active {
    run: Run,
    report: oneshot::Sender<RunReport>,
    /// Its time is over; answers are awaited until then.
    drain_until: Option<Instant>,
}

impl Active {
    fn begin(shard: &Shard, run: Run, report: oneshot::Sender<RunReport>) -> Self {
        shard.world.set_run(Some(run));
        shard.world.tally.borrow_mut().run = Some(RunTally::new(run.number, run.began));
        shard.each(|station| station.begin_run(run));
        Self { run, report, drain_until: None }
    }

    fn next_look(&self) -> Instant {
        if self.drain_until.is_some() { Instant::now() + DRAIN_LOOK } else { self.run.end }
    }

    /// The time is over, and so is everything that was due in it, or it was waited for long enough.
    fn is_over(&mut self, shard: &Shard) -> bool {
        let now = Instant::now();
        let drain_until = *self.drain_until.get_or_insert_with(|| {
            shard.each(|station| station.end_run(&shard.world, self.run, now));
            now + LONGEST_DRAIN
        });
        let open = shard.world.tally.borrow().run.as_ref().map_or(0, |run| run.open);
        open == 0 || now >= drain_until
    }

    fn end(self, shard: &Shard, partial: bool) {
        let ended = Instant::now();
        if self.drain_until.is_none() {
            shard.each(|station| station.end_run(&shard.world, self.run, ended));
        }
        shard.world.set_run(None);
        let mut tally = shard.world.tally.borrow_mut();
        let connections = std::mem::take(&mut tally.connections);
        if let Some(mut run) = tally.run.take() {
            let report = RunReport { rest: run.take_rest(), tally: run, connections, partial, ended };
            // a controller that went away needs no report
            let _ = self.report.send(report);
        }
    }
}

fn look(shard: &Shard) -> Look {
    let mut tally = shard.world.tally.borrow_mut();
    let recent = std::mem::take(&mut tally.recent);
    let over = tally.run.as_mut().map(|run| run.take_over(Instant::now())).unwrap_or_default();
    Look {
        gauges: tally.gauges,
        recent,
        cuts: tally.connections.cuts.clone(),
        connect_failures: tally.connections.connect_failures.clone(),
        over,
    }
}

/// The stations of a shard: every one whose number falls to it.
fn stations(plan: &Plan, shard: usize, now: Instant) -> (Vec<Member>, Vec<BadStation>) {
    let mut members = Vec::new();
    let mut bad = Vec::new();
    let mut number = 0;
    for (place, group) in plan.groups.iter().enumerate() {
        let kind = Rc::new(Kind {
            version: group.version,
            behaviour: group.behaviour.clone(),
            serial_number: group.serial_number.clone(),
        });
        let password: Option<Rc<str>> = group.password.as_deref().map(Rc::from);
        let connectors = usize::from(group.behaviour.connectors);
        let total = group.stations.saturating_mul(connectors);
        let amount = (total as f64 * group.behaviour.charging).round() as usize;
        let begins = chosen(plan.seed.wrapping_add(place as u64), total, amount);
        for (station, begins) in begins.chunks(connectors).enumerate() {
            let identity: Rc<str> = group.identity(station).into();
            let is_ours = number % plan.threads == shard;
            if is_ours && let Some(fault) = &group.fault {
                bad.push(BadStation {
                    number,
                    group: group.name.as_str().into(),
                    identity,
                    kind: Rc::clone(&kind),
                    password: password.clone(),
                    fault: fault.clone(),
                });
            } else if is_ours {
                let chance = Chance::new(plan.seed, number as u64);
                members.push(Member {
                    number,
                    station: RefCell::new(Station::new(
                        Rc::clone(&identity),
                        group.number(station),
                        Rc::clone(&kind),
                        chance,
                        begins,
                        now,
                    )),
                    cut: Cell::new(None),
                    unsent: Cell::new(false),
                    identity,
                    version: group.version,
                    password: password.clone(),
                });
            }
            number += 1;
        }
    }
    (members, bad)
}
