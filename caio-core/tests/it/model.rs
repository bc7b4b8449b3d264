//! Random lives of operations, against a model of the table.

use crate::mock::{Bell, Mock, file, open, poll};
use crate::tracked::{Drops, Tracked};
use caio_conformance::kit::until;
use caio_core::{Cancel, Context, Operation, Outcome, ReadInto, SharedFd};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// What a test does next. Numbers choose among what there is, modulo how many there are.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Makes an operation without starting it.
    Make,
    /// Makes one and submits it.
    Submit,
    /// Makes one whose time is up at once, and submits it.
    Hurry,
    /// Makes a batch of so many, and submits it.
    Batch(usize),
    /// Polls a future.
    Poll(usize),
    /// Turns an operation into its cancel, and polls that.
    Cancel(usize),
    /// Drops a future.
    Drop(usize),
    /// Forgets a future.
    Forget(usize),
    /// The backend completes a request.
    Complete(usize),
    /// The backend ends a request whose cancel was asked for.
    End(usize),
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// So many bytes were read.
    Read(usize),
    /// It was cancelled.
    Cancelled,
    /// Its time was up.
    TimedOut,
}

/// How far the model's operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Lazy,
    Waiting,
    Running,
    Done(Ended),
}

/// Its future.
enum Handle {
    Operation(Operation<ReadInto<Tracked>>),
    Cancel(Cancel<ReadInto<Tracked>>),
    /// Taken, dropped or forgotten.
    Gone,
}

/// One operation: the model's idea of it, and the thing itself.
struct Life {
    stage: Stage,
    handle: Handle,
    forgotten: bool,
    expired: bool,
    cancel_asked: bool,
    drops: Drops,
    bell: Arc<Bell>,
    /// How often the bell had rung when the future was last found pending.
    seen: Option<usize>,
}

/// The model and the context.
struct World {
    ctx: Context,
    mock: Arc<Mock>,
    fd: SharedFd,
    bound: usize,
    lives: Vec<Life>,
    queue: VecDeque<usize>,
    running: Vec<usize>,
}

/// Room of each buffer.
const ROOM: usize = 8;

impl World {
    fn new(bound: usize) -> Self {
        let (ctx, mock) = open(bound);
        Self { ctx, mock, fd: file(), bound, lives: Vec::new(), queue: VecDeque::new(), running: Vec::new() }
    }

    /// Makes an operation; its offset is its name.
    fn make(&mut self, op: impl FnOnce(&Context, Tracked, &SharedFd, u64) -> Operation<ReadInto<Tracked>>) -> usize {
        let (buf, drops) = Tracked::new(ROOM);
        let name = self.lives.len();
        let handle = Handle::Operation(op(&self.ctx, buf, &self.fd, name as u64));
        self.lives.push(Life {
            stage: Stage::Lazy,
            handle,
            forgotten: false,
            expired: false,
            cancel_asked: false,
            drops,
            bell: Arc::default(),
            seen: None,
        });
        name
    }

    /// The model lets it start.
    fn start(&mut self, name: usize) {
        if self.running.len() < self.bound && self.queue.is_empty() {
            self.running.push(name);
            self.lives[name].stage = Stage::Running;
        } else {
            self.queue.push_back(name);
            self.lives[name].stage = Stage::Waiting;
        }
    }

    /// The model lets it end.
    fn end(&mut self, name: usize, ended: Ended) {
        self.running.retain(|running| *running != name);
        self.queue.retain(|waiting| *waiting != name);
        self.lives[name].stage = Stage::Done(ended);
        if self.running.len() < self.bound {
            if let Some(next) = self.queue.pop_front() {
                self.running.push(next);
                self.lives[next].stage = Stage::Running;
            }
        }
        let life = &self.lives[name];
        if let (Handle::Operation(_) | Handle::Cancel(_), Some(seen)) = (&life.handle, life.seen) {
            assert!(life.bell.rings() > seen, "operation {name} has ended, and nobody told its future");
        }
    }

    /// Those whose future is still there.
    fn held(&self, index: usize) -> Option<usize> {
        let held: Vec<usize> =
            (0..self.lives.len()).filter(|name| !matches!(self.lives[*name].handle, Handle::Gone)).collect();
        (!held.is_empty()).then(|| held[index % held.len()])
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Make => drop(self.make(|ctx, buf, fd, at| ctx.read_into(buf, fd, at))),
            Step::Submit => {
                let name = self.make(|ctx, buf, fd, at| ctx.read_into(buf, fd, at).submit());
                self.start(name);
            }
            Step::Hurry => self.hurry(),
            Step::Batch(count) => {
                let mut batch = self.ctx.batch();
                let names: Vec<_> =
                    (0..count).map(|_| self.make(|_, buf, fd, at| batch.read_into(buf, fd, at))).collect();
                batch.submit().unwrap();
                names.into_iter().for_each(|name| self.start(name));
            }
            Step::Poll(index) => self.held(index).into_iter().for_each(|name| self.poll(name)),
            Step::Cancel(index) => self.held(index).into_iter().for_each(|name| self.cancel(name)),
            Step::Drop(index) => self.held(index).into_iter().for_each(|name| self.drop(name)),
            Step::Forget(index) => {
                if let Some(name) = self.held(index) {
                    match std::mem::replace(&mut self.lives[name].handle, Handle::Gone) {
                        Handle::Operation(operation) => std::mem::forget(operation),
                        Handle::Cancel(cancel) => std::mem::forget(cancel),
                        Handle::Gone => {}
                    }
                    self.lives[name].forgotten = true;
                }
            }
            Step::Complete(index) => self.complete(index),
            Step::End(index) => self.end_cancelled(index),
        }
        self.check();
    }

    /// Makes an operation whose time is up at once, and waits for the timer to have seen it.
    fn hurry(&mut self) {
        let (asked, queued) = (self.mock.seen().cancels.len(), self.queue.len());
        let name = self.make(|ctx, buf, fd, at| ctx.read_into(buf, fd, at).timeout(Duration::ZERO).submit());
        self.lives[name].expired = true;
        self.lives[name].cancel_asked = true;
        let room = self.running.len() < self.bound && self.queue.is_empty();
        if room && !self.mock.out().contains(&(name as u64)) {
            // Its time was up before it could start.
            self.lives[name].stage = Stage::Done(Ended::TimedOut);
            return;
        }
        self.start(name);
        if room {
            let mock = Arc::clone(&self.mock);
            until("the backend is asked", || mock.seen().cancels.len() > asked);
        } else {
            let ctx = self.ctx.clone();
            until("it leaves the queue", || ctx.queued() == queued);
            self.end(name, Ended::TimedOut);
        }
    }

    fn poll(&mut self, name: usize) {
        if self.lives[name].stage == Stage::Lazy {
            self.start(name);
        }
        let life = &mut self.lives[name];
        // A bell of its own for each poll: the latest must be rung.
        life.bell = Arc::default();
        let found = match &mut life.handle {
            Handle::Operation(operation) => poll(operation, &life.bell).map(|(result, buf)| {
                let ended = match result {
                    Ok(bytes) => Ended::Read(bytes),
                    Err(error) if error.kind() == ErrorKind::TimedOut => Ended::TimedOut,
                    Err(_) => Ended::Cancelled,
                };
                (ended, buf)
            }),
            Handle::Cancel(cancel) => poll(cancel, &life.bell).map(|outcome| match outcome {
                Outcome::Cancelled(buf) => (Ended::Cancelled, buf),
                Outcome::Completed(result, buf) => (Ended::Read(result.unwrap()), buf),
            }),
            Handle::Gone => return,
        };
        let expected = match (life.stage, &life.handle) {
            (Stage::Done(Ended::TimedOut), Handle::Cancel(_)) => Some(Ended::Cancelled),
            (Stage::Done(ended), _) => Some(ended),
            _ => None,
        };
        match found {
            Poll::Pending => {
                assert_eq!(expected, None, "operation {name} has ended");
                life.seen = Some(life.bell.rings());
            }
            Poll::Ready((ended, buf)) => {
                assert_eq!(expected, Some(ended), "operation {name}");
                if let Ended::Read(bytes) = ended {
                    assert_eq!(buf.bytes, vec![name as u8; bytes], "operation {name} has its own bytes");
                }
                assert_eq!(life.drops.count(), 0);
                drop(buf);
                life.handle = Handle::Gone;
            }
        }
    }

    fn cancel(&mut self, name: usize) {
        let life = &mut self.lives[name];
        match std::mem::replace(&mut life.handle, Handle::Gone) {
            Handle::Operation(operation) => life.handle = Handle::Cancel(operation.cancel()),
            other => life.handle = other,
        }
        life.cancel_asked = true;
        life.seen = None;
        match life.stage {
            Stage::Lazy => life.stage = Stage::Done(Ended::Cancelled),
            Stage::Waiting => self.end(name, Ended::Cancelled),
            Stage::Running | Stage::Done(_) => {}
        }
        self.poll(name);
    }

    fn drop(&mut self, name: usize) {
        self.lives[name].handle = Handle::Gone;
        match self.lives[name].stage {
            Stage::Lazy => self.lives[name].stage = Stage::Done(Ended::Cancelled),
            Stage::Waiting => self.end(name, Ended::Cancelled),
            Stage::Running => self.lives[name].cancel_asked = true,
            Stage::Done(_) => {}
        }
    }

    fn complete(&mut self, index: usize) {
        if self.running.is_empty() {
            return;
        }
        let place = index % self.running.len();
        let (name, bytes) = (self.running[place], index % (ROOM + 1));
        self.mock.finish(place, bytes, name as u8);
        self.end(name, Ended::Read(bytes));
    }

    fn end_cancelled(&mut self, index: usize) {
        let asked = |name: &usize| self.lives[*name].cancel_asked;
        let places: Vec<usize> = (0..self.running.len()).filter(|place| asked(&self.running[*place])).collect();
        if places.is_empty() {
            return;
        }
        let place = places[index % places.len()];
        let name = self.running[place];
        assert!(self.mock.completer().is_cancel_asked(self.mock.seen().out[place].key()));
        self.mock.end_cancelled(place);
        let ended = if self.lives[name].expired { Ended::TimedOut } else { Ended::Cancelled };
        self.end(name, ended);
    }

    /// The model and the context agree.
    fn check(&self) {
        let out: Vec<usize> = self.mock.out().into_iter().map(|offset| offset as usize).collect();
        assert_eq!(out, self.running, "who runs, in the order in which they came");
        assert_eq!((self.ctx.in_flight(), self.ctx.queued()), (self.running.len(), self.queue.len()));
        assert!(self.mock.seen().peak <= self.bound);
        for (name, life) in self.lives.iter().enumerate() {
            let gone = matches!(life.handle, Handle::Gone);
            let freed = gone && !life.forgotten && matches!(life.stage, Stage::Done(_));
            assert_eq!(life.drops.count(), usize::from(freed), "the memory of operation {name}, {:?}", life.stage);
        }
    }

    /// Everything ends.
    fn finish(mut self) {
        while !self.running.is_empty() {
            self.complete(0);
            self.check();
        }
        for name in 0..self.lives.len() {
            if matches!(self.lives[name].stage, Stage::Done(_)) {
                self.poll(name);
            } else {
                self.drop(name);
            }
        }
        self.check();
        let stats = self.ctx.stats();
        assert_eq!(stats.submitted, stats.completed);
        let forgotten = self.lives.iter().filter(|life| life.forgotten).count();
        let Self { ctx, mock, fd, .. } = self;
        drop(ctx);
        assert_eq!(mock.seen().shutdowns, usize::from(forgotten == 0), "what was forgotten is a handle that stays");
        assert!(forgotten != 0 || fd.try_unwrap().is_ok());
    }
}

fn step() -> impl Strategy<Value = Step> {
    let any = 0..64_usize;
    prop_oneof![
        2 => Just(Step::Make),
        4 => Just(Step::Submit),
        1 => Just(Step::Hurry),
        1 => (0..5_usize).prop_map(Step::Batch),
        8 => any.clone().prop_map(Step::Poll),
        3 => any.clone().prop_map(Step::Cancel),
        3 => any.clone().prop_map(Step::Drop),
        1 => any.clone().prop_map(Step::Forget),
        6 => any.clone().prop_map(Step::Complete),
        3 => any.prop_map(Step::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_table_does_what_the_model_says(bound in 1..5_usize, steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new(bound);
        steps.into_iter().for_each(|step| world.step(step));
        world.finish();
    }
}
