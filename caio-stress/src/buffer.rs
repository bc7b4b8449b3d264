//! Buffers that tell whether somebody wrote beside them, or into them after they were freed.

use caio::{IoBuf, IoBufMut};
use std::alloc::{Layout, alloc, dealloc};
use std::collections::VecDeque;
use std::sync::Mutex;

/// The bytes before and after the buffer that nobody may touch; also its alignment, so that it suits `O_DIRECT`.
const GUARD: usize = 4096;
/// What they are filled with.
const CANARY: u8 = 0xc5;
/// What freed memory is filled with.
const FREED: u8 = 0xdd;
/// How much freed memory is kept, in bytes, to see whether somebody writes to it.
const MAX_QUARANTINE: usize = 16 << 20;

/// Freed memory, the oldest first, and how much.
static QUARANTINE: Mutex<(VecDeque<Memory>, usize)> = Mutex::new((VecDeque::new(), 0));

/// Memory with guards around it.
struct Memory {
    /// The first guard.
    base: *mut u8,
    /// How many bytes lie between the guards.
    capacity: usize,
}

// SAFETY: whoever owns it alone reaches its memory.
unsafe impl Send for Memory {}

impl Memory {
    /// What was allocated.
    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity + 2 * GUARD, GUARD).expect("a small buffer")
    }

    /// Allocates it, all guards and content filled with the canary.
    fn new(capacity: usize) -> Self {
        // SAFETY: the size is not 0.
        let base = unsafe { alloc(Self::layout(capacity)) };
        assert!(!base.is_null(), "there is memory");
        // SAFETY: so many bytes were allocated.
        unsafe { base.write_bytes(CANARY, capacity + 2 * GUARD) };
        Self { base, capacity }
    }

    /// The first byte between the guards.
    fn start(&self) -> *mut u8 {
        // SAFETY: within what was allocated.
        unsafe { self.base.add(GUARD) }
    }

    /// Some bytes from an offset on.
    fn bytes(&self, from: usize, len: usize) -> &[u8] {
        assert!(from + len <= self.capacity + 2 * GUARD);
        // SAFETY: within what was allocated, and all of it was initialised.
        unsafe { std::slice::from_raw_parts(self.base.add(from), len) }
    }

    /// The guards are as they were.
    fn check_guards(&self) {
        let guards = [self.bytes(0, GUARD), self.bytes(GUARD + self.capacity, GUARD)];
        assert!(guards.iter().all(|guard| guard.iter().all(|byte| *byte == CANARY)), "somebody wrote beside a buffer");
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.base, Self::layout(self.capacity)) }
    }
}

/// A buffer with guards. Its drop checks them, and keeps the memory for a while to see whether somebody writes to it.
pub(crate) struct Buffer {
    /// The memory; gone while the buffer is being dropped.
    memory: Option<Memory>,
    /// How many bytes are filled.
    len: usize,
    /// Whether its drop panics at the end.
    pub(crate) panics: bool,
}

impl Buffer {
    /// An empty one.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { memory: Some(Memory::new(capacity)), len: 0, panics: false }
    }

    /// One with content.
    pub(crate) fn filled(content: &[u8]) -> Self {
        let mut buffer = Self::new(content.len());
        // SAFETY: there is room for the content, in memory that is the buffer's alone.
        unsafe { buffer.memory().start().copy_from_nonoverlapping(content.as_ptr(), content.len()) };
        buffer.len = content.len();
        buffer
    }

    /// The content. What lies beyond it is as it was.
    pub(crate) fn content(&self) -> &[u8] {
        let memory = self.memory();
        memory.check_guards();
        memory.bytes(GUARD, self.len)
    }

    /// The memory.
    fn memory(&self) -> &Memory {
        self.memory.as_ref().expect("it is there until the drop")
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(memory) = self.memory.take() else { return };
        memory.check_guards();
        // SAFETY: the memory is ours alone.
        unsafe { memory.base.write_bytes(FREED, memory.capacity + 2 * GUARD) };
        let mut quarantine = QUARANTINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        quarantine.1 += memory.capacity + 2 * GUARD;
        quarantine.0.push_back(memory);
        let mut old = Vec::new();
        while quarantine.1 > MAX_QUARANTINE {
            let Some(oldest) = quarantine.0.pop_front() else { break };
            quarantine.1 -= oldest.capacity + 2 * GUARD;
            old.push(oldest);
        }
        drop(quarantine);
        old.iter().for_each(check_freed);
        if self.panics {
            std::panic::resume_unwind(Box::new("a buffer whose drop panics, on purpose"));
        }
    }
}

/// Nobody has written to freed memory.
fn check_freed(memory: &Memory) {
    let all = memory.bytes(0, memory.capacity + 2 * GUARD);
    if all.iter().any(|byte| *byte != FREED) {
        eprintln!("somebody wrote to freed memory");
        std::process::abort();
    }
}

/// Checks all freed memory that is kept.
pub(crate) fn check_quarantine() {
    let quarantine = QUARANTINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    quarantine.0.iter().for_each(check_freed);
}

// SAFETY: the memory stays where it is until the buffer is dropped, is all initialised, and is the buffer's alone.
unsafe impl IoBuf for Buffer {
    fn stable_ptr(&self) -> *const u8 {
        self.memory().start()
    }

    fn bytes_init(&self) -> usize {
        self.len
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Buffer {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.memory().start()
    }

    fn bytes_total(&self) -> usize {
        self.memory().capacity
    }

    unsafe fn set_init(&mut self, len: usize) {
        assert!(len <= self.memory().capacity, "more was read than there was room for");
        self.len = len;
    }
}
