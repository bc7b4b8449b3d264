//! Files that take no more until somebody does something, of every kind that a program can easily have.

use super::sources::{seqpacket_pair, tcp_pair, terminal_pair};
use crate::fixture::Fixture;
use crate::kit::pipe_ends;
use caio_core::SharedFd;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, mknodat};
use rustix::io::{read, write};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

/// A file that is full.
pub(super) struct Sink {
    /// The file.
    pub(super) fd: SharedFd,
    /// What a write writes: it does not fit.
    pub(super) data: Vec<u8>,
    /// How much of it comes out for one write.
    pub(super) unit: usize,
    /// Makes room, and tells how much of such data has come out.
    pub(super) drain: Box<dyn FnMut() -> usize>,
}

/// Sets or clears `O_NONBLOCK`.
fn set_nonblocking(fd: impl AsFd, nonblocking: bool) {
    let mut flags = fcntl_getfl(&fd).expect("its flags");
    flags.set(OFlags::NONBLOCK, nonblocking);
    fcntl_setfl(&fd, flags).expect("its flags");
}

/// Fills what is written to, first in these pieces, then byte by byte.
fn filled(ours: OwnedFd, theirs: OwnedFd, piece: usize) -> Sink {
    set_nonblocking(&ours, true);
    while write(&ours, &vec![0xab; piece]).is_ok() {}
    while write(&ours, &[0xab]).is_ok() {}
    sink(ours, theirs)
}

/// Fills what takes records.
fn filled_with_records(ours: OwnedFd, theirs: OwnedFd) -> Sink {
    set_nonblocking(&ours, true);
    while write(&ours, &[0xab; 1000]).is_ok() {}
    sink(ours, theirs)
}

/// A sink whose other end is read until it has nothing more.
fn sink(ours: OwnedFd, theirs: OwnedFd) -> Sink {
    set_nonblocking(&ours, false);
    set_nonblocking(&theirs, true);
    let drain = move || {
        let mut ours = 0;
        let mut piece = vec![0; 1 << 16];
        while let Ok(bytes @ 1..) = read(&theirs, &mut piece) {
            ours += piece[..bytes].iter().filter(|byte| **byte == 0xcd).count();
        }
        ours
    };
    Sink { fd: ours.into(), data: vec![0xcd; 1000], unit: 1000, drain: Box::new(drain) }
}

/// A pipe.
pub(super) fn pipe_end(_: &Fixture) -> Sink {
    let (reader, writer) = pipe_ends();
    filled(writer, reader, 4096)
}

/// A pipe that is open with `O_NONBLOCK`.
pub(super) fn nonblocking_pipe(fixture: &Fixture) -> Sink {
    let sink = pipe_end(fixture);
    set_nonblocking(sink.fd.file(), true);
    sink
}

/// A named pipe, open for both.
pub(super) fn fifo(fixture: &Fixture) -> Sink {
    let path = fixture.path("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a fifo");
    let both = File::options().read(true).write(true).open(&path).expect("both ends of it");
    // Another open file, so that its flags are its own.
    let reader = File::open(&path).expect("the reading end");
    filled(both.into(), reader.into(), 4096)
}

/// A stream of a socket's.
pub(super) fn unix_stream(_: &Fixture) -> Sink {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    filled(ours.into(), theirs.into(), 4096)
}

/// A TCP connection. Its buffers are small and fixed: else the kernel makes room now and then, without saying so.
pub(super) fn tcp(_: &Fixture) -> Sink {
    let (ours, theirs) = tcp_pair();
    set_socket_send_buffer_size(&ours, 8192).expect("a size");
    set_socket_recv_buffer_size(&theirs, 8192).expect("a size");
    filled(ours.into(), theirs.into(), 1 << 16)
}

/// A socket of records.
pub(super) fn unix_datagrams(_: &Fixture) -> Sink {
    let (ours, theirs) = UnixDatagram::pair().expect("a pair");
    filled_with_records(ours.into(), theirs.into())
}

/// A socket of records in order.
pub(super) fn seqpacket(_: &Fixture) -> Sink {
    let (ours, theirs) = seqpacket_pair();
    filled_with_records(ours, theirs)
}

/// A terminal whose emulator does not read.
pub(super) fn terminal(_: &Fixture) -> Sink {
    let (ours, theirs) = terminal_pair();
    set_nonblocking(&theirs, true);
    // The kernel moves what it has on to the other end now and then, which makes room.
    let mut quiet = 0;
    while quiet < 10 {
        std::thread::sleep(Duration::from_millis(2));
        quiet = if write(&theirs, &[0xab; 1000]).is_ok() { 0 } else { quiet + 1 };
    }
    sink(theirs.into(), ours)
}

/// A counter that cannot grow.
pub(super) fn event_counter(_: &Fixture) -> Sink {
    let counter = eventfd(0, EventfdFlags::CLOEXEC).expect("an eventfd");
    let other = counter.try_clone().expect("a clone");
    write(&counter, &(u64::MAX - 1).to_ne_bytes()).expect("it is as large as it can be");
    let drain = move || {
        let mut now = [PollFd::new(&other, PollFlags::IN)];
        if poll(&mut now, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) != Ok(1) {
            return 0;
        }
        let mut count = [0; 8];
        read(&other, &mut count).expect("a number");
        let count = u64::from_ne_bytes(count);
        if count < 1 << 32 { count as usize } else { 0 }
    };
    Sink { fd: counter.into(), data: 7_u64.to_ne_bytes().to_vec(), unit: 7, drain: Box::new(drain) }
}
