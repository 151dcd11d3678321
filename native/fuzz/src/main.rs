//! Fuzzer of the codec. `docs/fuzzing.md` tells how to run it and what it checks.
//!
//! An input is made from a seed alone, so that a failure is repeated by its seed; the seeds of a run follow each other.

mod chance;
mod corpus;
mod memory;
mod mutate;
mod peer;
mod shapes;
mod subject;
mod targets;
mod trace;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chance::Chance;
use corpus::{Corpus, hex, unhex};
use subject::Subject;
use targets::{TARGETS, Target};

const HELP: &str = "\
usage: ocpp-fuzz --tables FILE --corpus FOLDER [options]
  --seconds N     how long, shared by the targets (10)
  --inputs N      how many inputs for each target, instead of a time
  --seed N        seed of the first input (1)
  --target NAME   head, stream, message or outbound; all of them without it
  --input HEX     check this one input of --target with the set-up that --seed gives
The whole corpus is checked first, unless --input or --inputs 1 is given.";

struct Options {
    tables: PathBuf,
    corpus: PathBuf,
    seconds: u64,
    inputs: Option<u64>,
    seed: u64,
    target: Option<String>,
    input: Option<Vec<u8>>,
}

fn options() -> Result<Options, String> {
    let mut arguments = std::env::args().skip(1);
    let mut options = Options {
        tables: PathBuf::new(),
        corpus: PathBuf::new(),
        seconds: 10,
        inputs: None,
        seed: 1,
        target: None,
        input: None,
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name}: a value is missing"))?;
        let number = || value.parse().map_err(|_| format!("{name}: not a number: {value}"));
        match name.as_str() {
            "--tables" => options.tables = value.into(),
            "--corpus" => options.corpus = value.into(),
            "--seconds" => options.seconds = number()?,
            "--inputs" => options.inputs = Some(number()?),
            "--seed" => options.seed = number()?,
            "--target" if TARGETS.iter().any(|target| target.name == value) => options.target = Some(value),
            "--input" => options.input = Some(unhex(&value)),
            _ => return Err(format!("unknown option {name} {value}")),
        }
    }
    Ok(options)
}

thread_local! {
    /// Where and why the last panic was.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A failed check: what a person needs to repeat it.
struct Failure {
    target: &'static str,
    seed: u64,
    input: Vec<u8>,
    why: String,
}

fn check(subject: &mut Subject, target: &Target, seed: u64, input: Vec<u8>) -> Result<(), Box<Failure>> {
    PANIC.with_borrow_mut(String::clear);
    // A seed of its own for the set-up, so that an input alone can be repeated with it.
    let mut chance = Chance::new(!seed);
    let ended = panic::catch_unwind(AssertUnwindSafe(|| (target.check)(subject, &input, &mut chance)));
    let why = PANIC.with_borrow(String::clone);
    // The codec contains its own panics: they count, too.
    if ended.is_ok() && why.is_empty() {
        return Ok(());
    }
    Err(Box::new(Failure { target: target.name, seed, input, why }))
}

/// What was seen, for the lines of progress.
#[derive(Default)]
struct Progress {
    inputs: u64,
    outcomes: BTreeSet<String>,
}

fn note_outcomes(subject: &Subject, progress: &mut Progress) {
    for trace in &subject.traces {
        for note in &trace.notes {
            let (kind, number, reason) = trace.outcome(note);
            progress
                .outcomes
                .insert(format!("{kind:?} {number} {}", String::from_utf8_lossy(reason)).trim_end().to_owned());
        }
    }
}

fn kept(subject: &mut Subject, target: &Target, seed: u64, progress: &mut Progress) -> Result<(), Box<Failure>> {
    let inputs: Vec<Vec<u8>> = (target.kept)(&subject.corpus).iter().map(|kept| kept.input.clone()).collect();
    for (index, input) in inputs.into_iter().enumerate() {
        for setup in 0..target.setups {
            check(subject, target, seed.wrapping_add(setup), input.clone()).map_err(|mut failure| {
                let name = &(target.kept)(&subject.corpus)[index].name;
                failure.why = format!("{name}: {}", failure.why);
                failure
            })?;
            progress.inputs += 1;
            note_outcomes(subject, progress);
        }
    }
    Ok(())
}

/// Inputs between two looks at the clock.
const BATCH: u64 = 256;
/// Inputs after which a target has seen all that it should.
const LONG_ENOUGH: u64 = 200_000;
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// What the working memory of the codec's threads may hold over all inputs: buffers it keeps, compressors it has made.
const MAY_REMAIN: usize = 4 << 20;

fn fuzz(subject: &mut Subject, target: &Target, options: &Options, time: Duration) -> Result<(), Box<Failure>> {
    let started = Instant::now();
    let mut progress = Progress::default();
    if options.inputs != Some(1) {
        kept(subject, target, options.seed, &mut progress)?;
    }
    let before = memory::live();
    let (mut reported, mut made) = (started, 0);
    loop {
        let batch = options.inputs.map_or(BATCH, |inputs| BATCH.min(inputs - made));
        for _ in 0..batch {
            let seed = options.seed.wrapping_add(made);
            let input = (target.make)(subject, &mut Chance::new(seed));
            check(subject, target, seed, input)?;
            made += 1;
            if made % 64 == 1 {
                note_outcomes(subject, &mut progress);
            }
        }
        let over = options.inputs.map_or(started.elapsed() >= time, |inputs| made >= inputs);
        if over || reported.elapsed() >= REPORT_EVERY {
            reported = Instant::now();
            let remaining = memory::live().saturating_sub(before);
            report(subject, target, &progress, made, started.elapsed(), remaining);
            assert!(remaining < MAY_REMAIN, "{remaining} bytes were left behind by {made} inputs");
        }
        if over {
            must_have_seen(target, &progress, made);
            return Ok(());
        }
    }
}

/// A fuzzer that reaches nothing finds nothing: a run of some length has seen what its target is there for.
fn must_have_seen(target: &Target, progress: &Progress, made: u64) {
    let missing: Vec<_> = target.sees.iter().filter(|outcome| !progress.outcomes.contains(**outcome)).collect();
    assert!(made < LONG_ENOUGH || missing.is_empty(), "{} inputs of {} never led to {missing:?}", made, target.name);
}

fn report(subject: &Subject, target: &Target, progress: &Progress, made: u64, time: Duration, remaining: usize) {
    println!(
        "{:<9} {:>7.1} s {:>11} inputs {:>8.0}/s  fullest {:>3.0} % of the memory allowed, {:>4} KiB remain, {:>5.1} MiB resident, {} outcomes",
        target.name,
        time.as_secs_f64(),
        made + progress.inputs,
        (made + progress.inputs) as f64 / time.as_secs_f64(),
        100.0 * subject.fullest,
        remaining >> 10,
        memory::resident() as f64 / f64::from(1 << 20),
        progress.outcomes.len(),
    );
}

fn run(options: &Options) -> Result<(), Box<Failure>> {
    let tables = std::fs::read(&options.tables).unwrap_or_else(|e| panic!("{}: {e}", options.tables.display()));
    let mut subject = Subject::new(&tables, Corpus::read(&options.corpus));
    let chosen: Vec<_> =
        TARGETS.iter().filter(|target| options.target.as_ref().is_none_or(|name| name == target.name)).collect();
    for target in &chosen {
        subject.fullest = 0.0;
        if let Some(input) = &options.input {
            check(&mut subject, target, options.seed, input.clone())?;
        } else {
            let time = Duration::from_secs(options.seconds) / chosen.len() as u32;
            fuzz(&mut subject, target, options, time)?;
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("{wrong}\n{HELP}");
            return ExitCode::from(2);
        }
    };
    panic::set_hook(Box::new(|panic| PANIC.with_borrow_mut(|text| *text = panic.to_string())));
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| run(&options)));
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            let Failure { target, seed, input, why } = *failure;
            eprintln!("FAILED {target}: {why}");
            eprintln!("input ({} bytes): {}", input.len(), hex(&input));
            eprintln!("as text: {}", String::from_utf8_lossy(&input).escape_debug());
            eprintln!("again: make fuzz FUZZ_ARGUMENTS='--target {target} --seed {seed} --input {}'", hex(&input));
            ExitCode::FAILURE
        }
        Err(_) => {
            PANIC.with_borrow(|why| eprintln!("{why}"));
            ExitCode::FAILURE
        }
    }
}
