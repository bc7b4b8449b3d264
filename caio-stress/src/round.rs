//! Rounds: each opens contexts, runs tasks, gives the contexts up in some way, and verifies.

use crate::buffer::{Buffer, check_quarantine};
use crate::files::{PART, Part};
use crate::log;
use crate::options::Options;
use crate::polls::{drop_early, give_up};
use crate::position::Position;
use crate::rng::Rng;
use crate::streams::Streams;
use crate::subject::{Executor, Opened, SUBJECTS};
use caio::{Context, SharedFd};
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
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
    let chosen = SUBJECTS.iter().enumerate().filter(|(_, (name, _))| name.contains(&options.subject));
    for (index, (name, _)) in chosen {
        match Opened::new(index, 8) {
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
    let name = SUBJECTS[plan.subject].0;
    println!("FAIL {name}: {complaint}: {plan:?}");
    println!("again: --backend {name} --seed {} --ops 1", plan.seed);
    false
}

/// One round.
fn round(plan: &Plan, path: &Path, operations: &Arc<AtomicU64>) {
    let log_path = path.with_extension("log");
    let (fd, log_fd) = (file(plan, path, TASKS * PART), appended(&log_path));
    let open = || Opened::new(plan.subject, plan.bound).expect("it opened before");
    let contexts = if plan.two_contexts { vec![open(), open()] } else { vec![open()] };
    let shared = if plan.two_contexts { Streams::shared() } else { Vec::new() };
    let ended = Arc::new(Mutex::new(Vec::new()));
    let tasks = (0..TASKS).map(|number| {
        let mut rng = Rng::new(plan.seed ^ ((number as u64 + 1) << 32));
        let ctx = contexts[number % contexts.len()].ctx.clone();
        let place = path.with_extension(number.to_string());
        let mut task = Task {
            part: Part::new(fd.clone(), number),
            streams: Streams::new(&shared),
            log: log::Writer::new(log_fd.clone(), number),
            position: Position::new(file(plan, &place, 0)),
        };
        let (ended, operations) = (Arc::clone(&ended), Arc::clone(operations));
        async move {
            task.run(&ctx, &mut rng, &operations).await;
            ended.lock().expect("no check failed").push(task);
        }
    });
    plan.executor.run(tasks.collect());
    for Opened { ctx, .. } in &contexts {
        if plan.closes {
            futures::executor::block_on(ctx.close());
            assert_eq!((ctx.in_flight(), ctx.queued()), (0, 0));
        }
        until("all have ended", || ctx.in_flight() == 0 && ctx.queued() == 0);
    }
    drop(contexts);
    let content = fs::read(path).expect("the file");
    let ended = std::mem::take(&mut *ended.lock().expect("no check failed"));
    assert_eq!(ended.len(), TASKS, "a task has failed");
    ended.iter().for_each(|task| task.part.verify(&content));
    let mut writers: Vec<_> = ended.into_iter().map(|task| task.log).collect();
    log::verify(&mut writers, &fs::read(&log_path).expect("the log"));
    drop(writers);
    abandon(plan, file(plan, path, TASKS * PART));
    check_quarantine();
}

/// A file with zeros, open as the plan says.
fn file(plan: &Plan, path: &Path, len: usize) -> SharedFd {
    fs::write(path, vec![0; len]).expect("room on the disk");
    let open = |flags| File::options().read(true).write(true).custom_flags(flags).open(path);
    let direct = plan.direct.then(|| open(libc::O_DIRECT).ok()).flatten();
    direct.unwrap_or_else(|| open(0).expect("a file")).into()
}

/// An empty file that is open for appending.
fn appended(path: &Path) -> SharedFd {
    fs::write(path, b"").expect("room on the disk");
    File::options().append(true).open(path).expect("a file").into()
}

/// Drops a context with operations in flight, or their futures after it: the file is let go.
fn abandon(plan: &Plan, fd: SharedFd) {
    let mut rng = Rng::new(!plan.seed);
    let opened = Opened::new(plan.subject, plan.bound).expect("it opened before");
    let streams = Streams::new(&[]);
    let mut left = Vec::new();
    for index in 0..40_u64 {
        let (ctx, offset) = (&opened.ctx, index * 4096);
        let read = ctx.read_into(Buffer::new(4096), &fd, offset);
        let write = ctx.write(Buffer::filled(&[7; 4096]), &fd, offset);
        let idle = streams.idle(ctx);
        futures::executor::block_on(async {
            drop_early(&mut rng, read).await;
            drop_early(&mut rng, idle).await;
            drop_early(&mut rng, ctx.fsync(&fd)).await;
        });
        left.push(write.submit());
    }
    if plan.closes {
        drop(opened);
        drop(left);
    } else {
        drop(left);
        drop(opened);
    }
    drop(streams);
    let mut left = Some(fd);
    until("nobody holds the file", || match left.take().map(SharedFd::try_unwrap) {
        Some(Err(held)) => {
            left = Some(held);
            false
        }
        Some(Ok(_)) | None => true,
    });
}

/// What a task works on.
struct Task {
    /// Its part of the file.
    part: Part,
    /// Its files that wait.
    streams: Streams,
    /// Its hand in the log.
    log: log::Writer,
    /// A file that has a position.
    position: Position,
}

impl Task {
    /// Its operations.
    async fn run(&mut self, ctx: &Context, rng: &mut Rng, operations: &AtomicU64) {
        let mut done = 0;
        while done < OPS {
            let count = self.step(ctx, rng).await;
            done += count;
            operations.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// Some of them. Says how many.
    async fn step(&mut self, ctx: &Context, rng: &mut Rng) -> usize {
        match rng.below(100) {
            0 => {
                let fd = self.part.fd();
                let sync = if rng.one_in(2) { ctx.fsync(fd) } else { ctx.fdsync(fd) };
                if rng.one_in(2) { give_up(rng, sync).await } else { sync.await.expect("a sync") }
            }
            1..=2 => return self.part.read_batch(ctx, rng).await,
            3..=6 => return self.streams.step(ctx, rng).await,
            7 => return self.position.step(ctx, rng).await,
            8..=9 => self.log.step(ctx, rng).await,
            10..=16 => self.part.write_and_give_up(ctx, rng).await,
            17..=36 => self.part.write(ctx, rng).await,
            _ => self.part.read(ctx, rng).await,
        }
        1
    }
}

/// Waits for something that must happen by itself.
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < Duration::from_secs(60), "it did not happen: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
