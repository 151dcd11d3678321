//! A fleet of charging stations for load tests: many OCPP-J connections in one process (README.md).

mod alarm;
mod answers;
mod chance;
mod clock;
mod connect;
mod connector;
mod controller;
mod faults;
mod histogram;
mod http;
mod link;
mod message;
mod ocpp16;
mod ocpp2;
mod orders;
mod outbox;
mod output;
mod plan;
mod readings;
mod rpc;
mod run;
mod shard;
mod station;
mod tally;
mod tls;
mod transport;
mod wire;
mod world;

use std::env;
use std::process::ExitCode;
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::connect::Dialler;
use crate::controller::Controller;
use crate::http::Loader;
use crate::plan::Plan;

const USAGE: &str = "\
csms-fleet: a fleet of charging stations for load tests

usage: csms-fleet PLAN.json          the stations of the plan; - reads it from the first line of standard input
       csms-fleet --check PLAN.json  only check the plan
       csms-fleet --help

It takes orders on standard input and reports on standard output, one JSON object a line:
  {\"order\":\"run\",\"seconds\":60,\"speed\":1.0,\"name\":\"steady\"}   a result comes at its end
  {\"order\":\"cut\",\"fraction\":0.5,\"how\":\"reset\"}             or \"close\": the connections come back by themselves
  {\"order\":\"finish\"}                                      as does the end of standard input, SIGINT or SIGTERM
bench/fleet/README.md describes the plan and all lines.
";
/// Open files besides the stations' sockets.
const OWN_FILES: u64 = 64;

/// A wrong command line or plan.
const WRONG: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        ["--check", path] => told(read(path, None).map(|_| ())),
        [path] if !path.starts_with("--") => run(path),
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(WRONG)
        }
    }
}

fn told(checked: Result<(), String>) -> ExitCode {
    match checked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("csms-fleet: {error}");
            ExitCode::from(WRONG)
        }
    }
}

fn run(path: &str) -> ExitCode {
    let clock = Clock::new();
    let mut lines = orders::lines();
    let plan = match read(path, Some(&mut lines)) {
        Ok(plan) => Arc::new(plan),
        Err(error) => return told(Err(error)),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default()) {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    runtime.block_on(async {
        let prepared = async {
            raise_open_files(&plan)?;
            let loaders = plan.http.iter().enumerate().map(|(place, load)| Loader::new(&plan, place, load));
            Ok((Dialler::new(&plan).await?, loaders.collect::<Result<Vec<_>, String>>()?))
        };
        let (dialler, loaders) = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => return told(Err(error)),
        };
        let served = match Controller::start(&plan, clock, dialler, loaders) {
            Ok(controller) => controller.serve(lines).await,
            Err(error) => Err(error),
        };
        served.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
    })
}

fn failed(error: &std::io::Error) -> ExitCode {
    eprintln!("csms-fleet: {error}");
    ExitCode::FAILURE
}

/// The plan of a file, or of the first line of standard input.
fn read(path: &str, lines: Option<&mut mpsc::Receiver<String>>) -> Result<Plan, String> {
    let text = match (path, lines) {
        ("-", Some(lines)) => lines.blocking_recv().unwrap_or_default(),
        ("-", None) => std::io::read_to_string(std::io::stdin()).map_err(|error| format!("standard input: {error}"))?,
        _ => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
    };
    Plan::parse(&text).map_err(|error| error.to_string())
}

/// As many open files as the kernel allows; too few for the plan are an error.
fn raise_open_files(plan: &Plan) -> Result<(), String> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| format!("limit of open files: {error}"))?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).map_err(|error| format!("limit of open files: {error}"))?;
    let requests: usize = plan.http.iter().map(|load| load.connections).sum();
    let wanted = (plan.stations() + requests) as u64 + OWN_FILES;
    if wanted > most {
        return Err(format!("groups: their stations need {wanted} open files, and {most} are allowed"));
    }
    Ok(())
}
