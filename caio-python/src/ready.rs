//! What has become ready: wakers push a number into a list and ring its bell. They never take the GIL.

use crate::bell::Bell;
use crate::sync::lock;
use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

/// How many signals a thread keeps for its next operations.
const MAX_SPARE: usize = 64;

/// Nobody waits.
const IDLE: u8 = 0;
/// Its future is being polled.
const POLLING: u8 = 1;
/// Its future waits: a wake goes to the list.
const PARKED: u8 = 2;
/// It was woken while it was polled.
const WOKEN: u8 = 3;
/// It is in the list.
const LISTED: u8 = 4;

/// Numbers of what has become ready, and the bell that says so.
#[derive(Debug)]
pub(crate) struct ReadyList {
    /// The numbers, in the order in which they came.
    numbers: Mutex<Vec<usize>>,
    /// Rung when the list is no longer empty.
    bell: Bell,
}

impl ReadyList {
    /// An empty one.
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self { numbers: Mutex::default(), bell: Bell::new()? }))
    }

    /// The bell.
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Adds numbers.
    pub(crate) fn push(&self, numbers: impl IntoIterator<Item = usize>) {
        let mut list = lock(&self.numbers);
        let was_empty = list.is_empty();
        list.extend(numbers);
        let rings = was_empty && !list.is_empty();
        drop(list);
        if rings {
            self.bell.ring();
        }
    }

    /// Takes all numbers into an empty vector.
    pub(crate) fn take_all(&self, into: &mut Vec<usize>) {
        std::mem::swap(&mut *lock(&self.numbers), into);
    }

    /// Takes the oldest number.
    pub(crate) fn take_first(&self) -> Option<usize> {
        let mut list = lock(&self.numbers);
        if list.is_empty() { None } else { Some(list.remove(0)) }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.numbers).is_empty()
    }
}

/// The waker of one operation at a time.
#[derive(Debug)]
pub(crate) struct Signal {
    /// How far it is: one of the constants above.
    state: AtomicU8,
    /// Where a wake goes.
    target: Mutex<Option<(Arc<ReadyList>, usize)>>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let next = |state| match state {
            POLLING => Some(WOKEN),
            PARKED => Some(LISTED),
            _ => None,
        };
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next) == Ok(PARKED) {
            let target = lock(&self.target).clone();
            if let Some((list, number)) = target {
                list.push([number]);
            }
        }
    }
}

/// A signal in use, with its waker.
#[derive(Debug)]
pub(crate) struct Handle {
    /// The signal.
    signal: Arc<Signal>,
    /// Made of it once.
    waker: Waker,
}

thread_local! {
    /// Signals that nobody can wake any more.
    static SPARE: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
}

impl Handle {
    /// One that nobody uses.
    pub(crate) fn new() -> Self {
        let spare = SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten();
        spare.unwrap_or_else(|| {
            let signal = Arc::new(Signal { state: AtomicU8::new(IDLE), target: Mutex::new(None) });
            Self { waker: Waker::from(Arc::clone(&signal)), signal }
        })
    }

    /// Gives it back. One that can still be woken is left to whoever has its waker.
    pub(crate) fn give_back(self) {
        if Arc::strong_count(&self.signal) != 2 {
            return;
        }
        *lock(&self.signal.target) = None;
        let _gone = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MAX_SPARE {
                spare.push(self);
            }
        });
    }

    /// What its future is polled with.
    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Its future is about to be polled: a wake is only noted from now on.
    pub(crate) fn begin_poll(&self) {
        self.signal.state.store(POLLING, Ordering::Release);
    }

    /// Whether it was woken while it was polled.
    pub(crate) fn is_woken(&self) -> bool {
        self.signal.state.load(Ordering::Acquire) == WOKEN
    }

    /// From now on a wake goes to the list. False if one has come meanwhile.
    pub(crate) fn park(&self, list: &Arc<ReadyList>, number: usize) -> bool {
        *lock(&self.signal.target) = Some((Arc::clone(list), number));
        self.signal.state.compare_exchange(POLLING, PARKED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
