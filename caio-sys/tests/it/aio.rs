//! Kernel AIO.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use caio_sys::aio::{
    AioContext, IOCB_CMD_FDSYNC, IOCB_CMD_FSYNC, IOCB_CMD_POLL, IOCB_CMD_PREAD, IOCB_CMD_PREADV, IOCB_CMD_PWRITE,
    IOCB_CMD_PWRITEV, IOCB_FLAG_IOPRIO, IOCB_FLAG_RESFD, io_cancel, io_destroy, io_event, io_getevents, io_setup,
    io_submit, iocb,
};
use caio_sys::eventfd::EventFd;
use caio_sys::poll::{PollEvents, PollFd, poll};
use caio_sys::rw::iovec;
use caio_sys::sched::{IoClass, IoPrio};

use crate::support::{disk_file, errno, under_signals};

/// A context that is destroyed at the end of a test, which waits for its requests.
struct Guard(AioContext);

impl Guard {
    /// A context for eight requests; `None`, with a message, where there is no kernel AIO.
    fn new() -> Option<Self> {
        match io_setup(8) {
            Ok(ctx) => Some(Self(ctx)),
            Err(error) => {
                println!("skipped: io_setup: {error}");
                None
            }
        }
    }

    /// Submits one request, waits for it, and returns its completion.
    ///
    /// The buffer that it names must be valid.
    fn run(&self, request: &mut iocb) -> io_event {
        // SAFETY: the caller's buffer outlives this call, which waits for the completion.
        assert_eq!(unsafe { io_submit(self.0, &[request]) }.unwrap(), 1);
        let mut room = [MaybeUninit::uninit(); 4];
        let events = io_getevents(self.0, 1, &mut room, None).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].obj, &raw const *request as u64);
        assert_eq!(events[0].data, request.aio_data);
        events[0]
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        io_destroy(self.0).unwrap();
    }
}

/// A request on a descriptor.
fn request(opcode: u16, fd: &impl AsRawFd) -> iocb {
    iocb {
        aio_data: 0xfeed_0000_0000_0000 + u64::from(opcode),
        aio_lio_opcode: opcode,
        aio_fildes: fd.as_raw_fd() as u32,
        ..iocb::default()
    }
}

/// A request to wait until an eventfd is readable.
fn poll_request(event: &EventFd) -> iocb {
    iocb { aio_buf: PollEvents::IN.bits() as u64, ..request(IOCB_CMD_POLL, event) }
}

#[test]
fn every_transfer_and_sync_completes() {
    let Some(ctx) = Guard::new() else { return };
    let file = disk_file();
    let offset = 5 << 30;
    let mut write = iocb {
        aio_buf: b"hello".as_ptr() as u64,
        aio_nbytes: 5,
        aio_offset: offset,
        ..request(IOCB_CMD_PWRITE, &file)
    };
    assert_eq!(ctx.run(&mut write).outcome().unwrap(), 5);
    let iov = iovec { iov_base: b", you".as_ptr().cast_mut().cast(), iov_len: 5 };
    let mut writev = iocb {
        aio_buf: &raw const iov as u64,
        aio_nbytes: 1,
        aio_offset: offset + 5,
        ..request(IOCB_CMD_PWRITEV, &file)
    };
    assert_eq!(ctx.run(&mut writev).outcome().unwrap(), 5);
    for opcode in [IOCB_CMD_FSYNC, IOCB_CMD_FDSYNC] {
        assert_eq!(ctx.run(&mut request(opcode, &file)).outcome().unwrap(), 0);
    }
    let mut bytes = [0_u8; 16];
    let mut read = iocb {
        aio_buf: bytes.as_mut_ptr() as u64,
        aio_nbytes: 16,
        aio_offset: offset,
        aio_flags: IOCB_FLAG_IOPRIO,
        aio_reqprio: IoPrio::new(IoClass::BestEffort, 7).unwrap().as_raw() as i16,
        ..request(IOCB_CMD_PREAD, &file)
    };
    assert_eq!(ctx.run(&mut read).outcome().unwrap(), 10);
    assert_eq!(&bytes[..10], b"hello, you");
    let mut bytes = [0_u8; 2];
    let iov = iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: 2 };
    let mut readv = iocb {
        aio_buf: &raw const iov as u64,
        aio_nbytes: 1,
        aio_offset: offset + 1,
        ..request(IOCB_CMD_PREADV, &file)
    };
    assert_eq!(ctx.run(&mut readv).outcome().unwrap(), 2);
    assert_eq!(&bytes, b"el");
}

#[test]
fn a_completion_signals_its_eventfd() {
    let Some(ctx) = Guard::new() else { return };
    let (file, done) = (disk_file(), EventFd::new().unwrap());
    let mut sync =
        iocb { aio_flags: IOCB_FLAG_RESFD, aio_resfd: done.as_raw_fd() as u32, ..request(IOCB_CMD_FDSYNC, &file) };
    // SAFETY: the request names no memory.
    assert_eq!(unsafe { io_submit(ctx.0, &[&raw mut sync]) }.unwrap(), 1);
    poll(&mut [PollFd::new(done.as_fd(), PollEvents::IN)], None).unwrap();
    assert_eq!(done.drain().unwrap(), Some(1));
    let mut room = [MaybeUninit::uninit(); 1];
    let events = io_getevents(ctx.0, 0, &mut room, Some(Duration::ZERO)).unwrap();
    assert_eq!(events.len(), 1);
}

#[test]
fn a_prefix_is_accepted_and_a_refused_first_request_is_told() {
    let Some(ctx) = Guard::new() else { return };
    let file = disk_file();
    let mut good = request(IOCB_CMD_FDSYNC, &file);
    let mut bad = iocb { aio_fildes: u32::MAX, ..good };
    // SAFETY: the requests name no memory.
    let accepted = unsafe { io_submit(ctx.0, &[&raw mut good, &raw mut bad]) };
    assert_eq!(accepted.unwrap(), 1);
    // SAFETY: as above.
    let refused = unsafe { io_submit(ctx.0, &[&raw mut bad, &raw mut good]) };
    assert_eq!(errno(refused), libc::EBADF);
    // SAFETY: there is no request.
    assert_eq!(unsafe { io_submit(ctx.0, &[]) }.unwrap(), 0);
    let mut room = [MaybeUninit::uninit(); 4];
    assert_eq!(io_getevents(ctx.0, 1, &mut room, None).unwrap().len(), 1);
}

#[test]
fn a_failure_arrives_with_its_errno() {
    let Some(ctx) = Guard::new() else { return };
    let file = disk_file();
    file.write_all_at(b"hello", 0).unwrap();
    let mut read = iocb { aio_buf: 1, aio_nbytes: 5, ..request(IOCB_CMD_PREAD, &file) };
    // A bad address is found either when the request is taken or when it is carried out.
    // SAFETY: nothing is mapped at address 1, so the kernel writes nowhere.
    let failed = match unsafe { io_submit(ctx.0, &[&raw mut read]) } {
        Ok(_) => {
            let mut room = [MaybeUninit::uninit(); 1];
            io_getevents(ctx.0, 1, &mut room, None).unwrap()[0].outcome()
        }
        Err(error) => Err(error),
    };
    assert_eq!(errno(failed), libc::EFAULT);
}

#[test]
fn a_full_context_says_so_and_is_destroyed_without_a_wait() {
    let Some(ctx) = Guard::new() else { return };
    let never = EventFd::new().unwrap();
    let mut wait = poll_request(&never);
    let mut taken = 0;
    let error = loop {
        // SAFETY: the request names no memory.
        match unsafe { io_submit(ctx.0, &[&raw mut wait]) } {
            Ok(count) => taken += count,
            Err(error) => break error,
        }
        assert!(taken < 100_000, "a context of 8 has no end");
    };
    if error.raw_os_error() == Some(libc::EINVAL) {
        return println!("skipped: no IOCB_CMD_POLL");
    }
    assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
    assert!(taken >= 8, "{taken}");
}

#[test]
fn a_cancelled_poll_still_completes() {
    let Some(ctx) = Guard::new() else { return };
    let never = EventFd::new().unwrap();
    let mut wait = poll_request(&never);
    // SAFETY: the request names no memory.
    if let Err(error) = unsafe { io_submit(ctx.0, &[&raw mut wait]) } {
        return println!("skipped: no IOCB_CMD_POLL: {error}");
    }
    io_cancel(ctx.0, &wait).unwrap();
    let mut room = [MaybeUninit::uninit(); 4];
    let events = io_getevents(ctx.0, 1, &mut room, None).unwrap();
    assert_eq!((events.len(), events[0].data, events[0].res), (1, wait.aio_data, 0));
    assert_eq!(errno(io_cancel(ctx.0, &wait)), libc::EINVAL);
}

#[test]
fn a_poll_completes_when_its_file_is_ready() {
    let Some(ctx) = Guard::new() else { return };
    let event = EventFd::new().unwrap();
    event.signal().unwrap();
    let mut wait = poll_request(&event);
    assert_eq!(ctx.run(&mut wait).outcome().unwrap(), PollEvents::IN.bits() as usize);
}

#[test]
fn what_is_not_a_context_is_refused() {
    if Guard::new().is_none() {
        return;
    }
    assert_eq!(errno(io_setup(0)), libc::EINVAL);
    let ctx = io_setup(1).unwrap();
    let mut room = [MaybeUninit::uninit(); 1];
    assert_eq!(errno(io_getevents(ctx, 2, &mut room, None)), libc::EINVAL);
    io_destroy(ctx).unwrap();
}

#[test]
fn an_empty_wait_ends_in_time() {
    let Some(ctx) = Guard::new() else { return };
    let mut room = [MaybeUninit::uninit(); 1];
    let begun = Instant::now();
    let wait = Duration::from_millis(5);
    assert!(io_getevents(ctx.0, 1, &mut room, Some(wait)).unwrap().is_empty());
    assert!(begun.elapsed() >= wait);
    assert!(io_getevents(ctx.0, 1, &mut room, Some(Duration::ZERO)).unwrap().is_empty());
}

#[test]
fn signals_neither_end_nor_stretch_the_wait() {
    let Some(ctx) = Guard::new() else { return };
    let wait = Duration::from_millis(60);
    let took = under_signals(move || {
        let mut room = [MaybeUninit::uninit(); 1];
        let begun = Instant::now();
        let events = io_getevents(ctx.0, 1, &mut room, Some(wait)).unwrap();
        assert!(events.is_empty());
        begun.elapsed()
    });
    assert!(took >= wait, "ended after {took:?}");
    assert!(took < Duration::from_secs(4), "lasted {took:?}");
}
