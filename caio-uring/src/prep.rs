//! A request as the kernel reads it.

use crate::buffers::BufPool;
use crate::refusal;
use crate::ring::user_data;
use caio_core::{Op, Refusal, Region, Request, SharedFd};
use io_uring::Submitter;
use io_uring::opcode::{Fsync, Read, ReadFixed, Readv, Write, WriteFixed, Writev};
use io_uring::register::Probe;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, FsyncFlags};
use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};

/// What was registered with the rings: files and buffers that the kernel need not look up for each
/// request.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    /// The files, which stay open for as long as the rings.
    files: Vec<SharedFd>,
    /// Their places, by [`SharedFd::id`].
    places: HashMap<usize, u32>,
    /// The buffers, which stay for as long as the rings.
    buffers: Vec<BufPool>,
}

impl Registered {
    /// Keeps what is to be registered.
    pub(crate) fn new(files: Vec<SharedFd>, buffers: Vec<BufPool>) -> Self {
        let places = files.iter().map(SharedFd::id).zip(0..).collect();
        Self { files, places, buffers }
    }

    /// Registers all with a ring.
    pub(crate) fn register(&self, submitter: &Submitter<'_>) -> Result<(), Refusal> {
        if !self.files.is_empty() {
            let files: Vec<RawFd> = self.files.iter().map(AsRawFd::as_raw_fd).collect();
            submitter.register_files(&files).map_err(refusal::of_files)?;
        }
        if !self.buffers.is_empty() {
            let buffers: Vec<libc::iovec> = self.buffers.iter().map(BufPool::iovec).collect();
            // SAFETY: the pools' memory stays for as long as `self`, which the engine keeps until
            // its rings are gone.
            unsafe { submitter.register_buffers(&buffers) }.map_err(refusal::of_buffers)?;
        }
        Ok(())
    }

    /// The place of the registered memory that a region lies in.
    fn buffer(&self, region: &Region) -> Option<u16> {
        let place = self.buffers.iter().position(|pool| pool.contains(region))?;
        u16::try_from(place).ok()
    }
}

/// Which operations the kernel's ring can do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opcodes([bool; 256]);

impl Opcodes {
    /// Asks what the kernel has said.
    pub(crate) fn new(probe: &Probe) -> Self {
        Self(std::array::from_fn(|code| probe.is_supported(code as u8)))
    }

    /// Pretends that one is missing.
    pub(crate) fn forget(&mut self, code: u8) {
        self.0[usize::from(code)] = false;
    }

    /// Whether the kernel has one.
    pub(crate) fn has(&self, code: u8) -> bool {
        self.0[usize::from(code)]
    }

    /// Whether the ring can do an operation.
    pub(crate) fn can(&self, op: &Op) -> bool {
        self.has(match op {
            Op::Read { .. } => Read::CODE,
            Op::Write { .. } => Write::CODE,
            Op::Readv { .. } => Readv::CODE,
            Op::Writev { .. } => Writev::CODE,
            Op::Fsync | Op::Fdatasync => Fsync::CODE,
        })
    }
}

/// Describes a request to the kernel. With `force_async` a thread of the kernel's begins it.
pub(crate) fn prep(request: &Request, opcodes: &Opcodes, registered: &Registered, force_async: bool) -> Entry {
    let place = registered.places.get(&request.fd().id()).and_then(|place| i32::try_from(*place).ok());
    let fd = Fd(place.unwrap_or_else(|| request.fd().as_raw_fd()));
    let priority = request.priority().map_or(0, caio_core::IoPriority::as_u16);
    let entry = match request.op() {
        Op::Read { region, offset } => match registered.buffer(region).filter(|_| opcodes.has(ReadFixed::CODE)) {
            Some(buffer) => {
                let entry = ReadFixed::new(fd, region.as_ptr(), region.len() as u32, buffer);
                entry.offset(*offset).ioprio(priority).build()
            }
            None => Read::new(fd, region.as_ptr(), region.len() as u32).offset(*offset).ioprio(priority).build(),
        },
        Op::Write { region, offset } => match registered.buffer(region).filter(|_| opcodes.has(WriteFixed::CODE)) {
            Some(buffer) => {
                let entry = WriteFixed::new(fd, region.as_ptr(), region.len() as u32, buffer);
                entry.offset(*offset).ioprio(priority).build()
            }
            None => Write::new(fd, region.as_ptr(), region.len() as u32).offset(*offset).ioprio(priority).build(),
        },
        Op::Readv { regions, offset } => {
            let entry = Readv::new(fd, regions.as_ptr().cast(), regions.count() as u32);
            entry.offset(*offset).ioprio(priority).build()
        }
        Op::Writev { regions, offset } => {
            let entry = Writev::new(fd, regions.as_ptr().cast(), regions.count() as u32);
            entry.offset(*offset).ioprio(priority).build()
        }
        Op::Fsync => Fsync::new(fd).build(),
        Op::Fdatasync => Fsync::new(fd).flags(FsyncFlags::DATASYNC).build(),
    };
    let mut flags = Flags::empty();
    if place.is_some() {
        flags |= Flags::FIXED_FILE;
    }
    if force_async {
        flags |= Flags::ASYNC;
    }
    entry.flags(flags).user_data(user_data(request.key()))
}

// The regions of a vectored operation are what `readv` and `writev` take.
const _: () = {
    assert!(size_of::<Region>() == size_of::<libc::iovec>());
    assert!(align_of::<Region>() == align_of::<libc::iovec>());
};
// The kernel's word for "no offset" is ours.
const _: () = assert!(caio_core::NO_OFFSET == -1_i64 as u64);
