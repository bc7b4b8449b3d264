//! Rounds: each opens contexts, runs tasks, gives the contexts up in some way, and verifies.

use crate::buffer::check_quarantine;
use crate::files::{PART, Part};
use crate::options::Options;
use crate::polls::give_up;
use crate::rng::Rng;
use crate::streams::Streams;
use crate::subject::{Executor, SUBJECTS};
use caio::{Context, SharedFd};
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How many tasks a round has.
const TASKS: usize = 8;
/// How many operations each has.
const OPS: usize = 2500;
/// How long a round may take.
const ROUND_LIMIT: Duration = Duration::from_secs(120);

/// What a round is made of.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    subject: usize,
    executor: Executor,
    bound: usize,
    direct: bool,
    two_contexts: bool,
    closes: bool,
}

impl Plan {
    /// The plan of a seed.
    fn new(seed: u64, subject: usize) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            seed,
            subject,
            executor: Executor::any(&mut rng),
            bound: rng.choose(&[1, 2, 7, 128]),
            direct: rng.one_in(3),
            two_contexts: rng.one_in(4),
            closes: rng.one_in(2),
        }
    }
}

/// Runs rounds until there were as many operations as the options say.
pub(crate) fn run(options: &Options) -> ExitCode {
    let dir = std::env::var_os("CAIO_TEST_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = dir.join(format!("caio-stress-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a directory for the files");
    let (started, operations) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut subjects = Vec::new();
    for (index, (name, open)) in SUBJECTS.iter().enumerate().filter(|(_, (name, _))| name.contains(&options.subject)) {
        match open(8) {
            Ok(_) => subjects.push(index),
            Err(error) => println!("SKIP: {name}: {error}"),
        }
    }
    let mut rounds = [0_u32; SUBJECTS.len()];
    let mut seed = options.seed;
    let mut failed = subjects.is_empty();
    while !failed && operations.load(Ordering::Relaxed) < options.ops {
        if options.limit.is_some_and(|limit| started.elapsed() > limit) {
            break;
        }
        let plan = Plan::new(seed, subjects[seed as usize % subjects.len()]);
        rounds[plan.subject] += 1;
        failed = !survives(&plan, &dir, &operations);
        seed += 1;
    }
    let _removed = fs::remove_dir_all(&dir);
    for (name, rounds) in SUBJECTS.iter().map(|(name, _)| name).zip(rounds) {
        println!("{name:14} {rounds} rounds");
    }
    let operations = operations.load(Ordering::Relaxed);
    let seconds = started.elapsed().as_secs_f64();
    println!("{operations} operations in {seconds:.0} s, seeds {} to {}", options.seed, seed - 1);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs a round in a thread. Says whether it holds.
fn survives(plan: &Plan, dir: &Path, operations: &Arc<AtomicU64>) -> bool {
    let (sender, receiver) = channel();
    let (own, path, counter) = (plan.clone(), dir.join("file"), Arc::clone(operations));
    std::thread::spawn(move || {
        let ended = catch_unwind(AssertUnwindSafe(|| round(&own, &path, &counter)));
        let _nobody_waits = sender.send(ended.is_ok());
    });
    let complaint = match receiver.recv_timeout(ROUND_LIMIT) {
        Ok(true) => return true,
        Ok(false) | Err(RecvTimeoutError::Disconnected) => "a check failed",
        Err(RecvTimeoutError::Timeout) => "it hangs",
    };
    println!("FAIL {}: {complaint}: {plan:?}", SUBJECTS[plan.subject].0);
    false
}

/// One round.
fn round(plan: &Plan, path: &Path, operations: &Arc<AtomicU64>) {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path).expect("a file");
    file.set_len((TASKS * PART) as u64).expect("room on the disk");
    fs::write(path, vec![0; TASKS * PART]).expect("room on the disk");
    let direct = File::options().read(true).write(true).custom_flags(libc::O_DIRECT).open(path);
    let fd: SharedFd = direct.ok().filter(|_| plan.direct).unwrap_or(file).into();
    let open = || SUBJECTS[plan.subject].1(plan.bound).expect("it opened before");
    let contexts = if plan.two_contexts { vec![open(), open()] } else { vec![open()] };
    let parts = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tasks = (0..TASKS).map(|number| {
        let mut rng = Rng::new(plan.seed ^ (number as u64 + 1) << 32);
        let ctx = contexts[number % contexts.len()].clone();
        let (part, parts) = (Part::new(fd.clone(), number), Arc::clone(&parts));
        let operations = Arc::clone(operations);
        async move {
            let part = task(&ctx, part, &mut rng, &operations).await;
            parts.lock().expect("no check failed").push(part);
        }
    });
    plan.executor.run(tasks.collect());
    for ctx in &contexts {
        if plan.closes {
            futures::executor::block_on(ctx.close());
            assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
        }
        until("all have ended", || ctx.in_flight() == 0 && ctx.queued() == 0);
    }
    drop(contexts);
    let content = fs::read(path).expect("the file");
    parts.lock().expect("no check failed").iter().for_each(|part| part.verify(&content));
    check_quarantine();
}

/// One task's operations.
async fn task(ctx: &Context, mut part: Part, rng: &mut Rng, operations: &AtomicU64) -> Part {
    let mut streams = Streams::new();
    let mut done = 0;
    while done < OPS {
        let count = match rng.below(100) {
            0 => {
                let sync = if rng.one_in(2) { ctx.fsync(part.fd()) } else { ctx.fdsync(part.fd()) };
                if rng.one_in(2) {
                    give_up(rng, sync).await
                } else {
                    sync.await.expect("a sync")
                }
                1
            }
            1..=2 => part.read_batch(ctx, rng).await,
            3..=6 => streams.step(ctx, rng).await,
            7..=14 => {
                part.write_and_give_up(ctx, rng).await;
                1
            }
            15..=34 => {
                part.write(ctx, rng).await;
                1
            }
            _ => {
                part.read(ctx, rng).await;
                1
            }
        };
        done += count;
        operations.fetch_add(count as u64, Ordering::Relaxed);
    }
    part
}

/// Waits for something that must happen by itself.
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < Duration::from_secs(60), "it did not happen: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
