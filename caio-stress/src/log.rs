//! A log to which all tasks of a round append: each record is there once, and whole.

use crate::buffer::Buffer;
use crate::polls::{finish, give_up};
use crate::rng::Rng;
use caio::{Context, NO_OFFSET, SharedFd};
use std::collections::BTreeMap;

/// What each record begins with: the task, its number, and how long it is.
const HEADER: usize = 8;
/// The longest record.
const MAX_RECORD: usize = 6000;

/// One task's hand in the log.
pub(crate) struct Writer {
    /// The file, open for appending.
    fd: SharedFd,
    /// The task.
    task: u8,
    /// Its records so far, and whether each must be there.
    records: BTreeMap<u32, bool>,
}

impl Writer {
    /// A task that has written nothing.
    pub(crate) fn new(fd: SharedFd, task: usize) -> Self {
        Self { fd, task: task as u8, records: BTreeMap::new() }
    }

    /// Appends a record in some buffers, and awaits it or not.
    pub(crate) async fn step(&mut self, ctx: &Context, rng: &mut Rng) {
        let number = self.records.len() as u32;
        let record = record(self.task, number, HEADER + rng.below(MAX_RECORD - HEADER));
        let offset = if rng.one_in(2) { NO_OFFSET } else { 0 };
        let given_up = rng.one_in(4);
        self.records.insert(number, !given_up);
        if rng.one_in(2) {
            let (first, second) = record.split_at(rng.below(record.len()));
            let parts = vec![Buffer::filled(first), Buffer::filled(second)];
            let write = ctx.writev(parts, &self.fd, offset);
            if given_up {
                give_up(rng, write).await;
            } else {
                assert_eq!(finish(rng, write).await.0.expect("a write"), record.len());
            }
        } else {
            let write = ctx.write(Buffer::filled(&record), &self.fd, offset);
            if given_up {
                give_up(rng, write).await;
            } else {
                assert_eq!(finish(rng, write).await.0.expect("a write"), record.len());
            }
        }
    }
}

/// A record.
fn record(task: u8, number: u32, len: usize) -> Vec<u8> {
    let [low, high, ..] = (len as u32).to_le_bytes();
    let mut record = vec![0xa5, task, low, high];
    record.extend(number.to_le_bytes());
    record.extend((HEADER..len).map(|at| byte(task, number, at)));
    record
}

/// What a record has at a place.
fn byte(task: u8, number: u32, at: usize) -> u8 {
    task.wrapping_mul(31).wrapping_add(number as u8).wrapping_add((at / 3) as u8)
}

/// The log has each record that was awaited once, each that was given up at most once, and nothing else.
pub(crate) fn verify(writers: &mut [Writer], mut content: &[u8]) {
    while !content.is_empty() {
        let [0xa5, task, low, high, rest @ ..] = content else { panic!("no record begins here") };
        let (task, len) = (*task, usize::from(u16::from_le_bytes([*low, *high])));
        let number = u32::from_le_bytes(rest[..4].try_into().expect("four bytes"));
        let body = &content[HEADER..len];
        let is_whole = body.iter().enumerate().all(|(at, got)| *got == byte(task, number, HEADER + at));
        assert!(is_whole, "record {number} of task {task} is torn");
        let writer = writers.iter_mut().find(|writer| writer.task == task).expect("a task");
        assert!(writer.records.remove(&number).is_some(), "record {number} of task {task} is there twice");
        content = &content[len..];
    }
    let lost = writers.iter().any(|writer| writer.records.values().any(|must| *must));
    assert!(!lost, "records are lost");
}
