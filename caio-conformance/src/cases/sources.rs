//! Files that have nothing to read until somebody does something, of every kind that a program can easily have.

use crate::fixture::{Fixture, skip};
use crate::kit::{PATIENCE, pipe};
use caio_core::SharedFd;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{CWD, FileType, FlockOperation, Mode, OFlags, fcntl_setfl, flock, inotify, mknodat};
use rustix::io::write;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, socketpair};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use rustix::time::{timerfd_create, timerfd_settime};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

/// A file with nothing to read, and how it gets something.
pub(super) struct Source {
    /// The file.
    pub(super) fd: SharedFd,
    /// How long a read's buffer is.
    pub(super) len: usize,
    /// Has the next read get something, and tells what where that is known.
    pub(super) feed: Box<dyn FnMut(u8) -> Option<Vec<u8>>>,
}

/// A source to which something else writes one byte.
fn fed_through(fd: impl Into<SharedFd>, theirs: impl AsFd + 'static) -> Source {
    let feed = move |byte| {
        write(&theirs, &[byte]).expect("the other end takes a byte");
        Some(vec![byte])
    };
    Source { fd: fd.into(), len: 64, feed: Box::new(feed) }
}

/// Sets `O_NONBLOCK`.
fn nonblocking(source: Source) -> Source {
    let flags = rustix::fs::fcntl_getfl(source.fd.file()).expect("its flags");
    fcntl_setfl(source.fd.file(), flags | OFlags::NONBLOCK).expect("a flag");
    source
}

/// A pipe.
pub(super) fn pipe_end(_: &Fixture) -> Source {
    let (reader, writer) = pipe();
    fed_through(reader, writer)
}

/// A pipe that is open with `O_NONBLOCK`.
pub(super) fn nonblocking_pipe(fixture: &Fixture) -> Source {
    nonblocking(pipe_end(fixture))
}

/// A named pipe, open for both.
pub(super) fn fifo(fixture: &Fixture) -> Source {
    let path = fixture.path("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a fifo");
    let file = File::options().read(true).write(true).open(&path).expect("both ends of it");
    let other = file.try_clone().expect("a clone");
    fed_through(file, other)
}

/// A stream of a socket's.
pub(super) fn unix_stream(_: &Fixture) -> Source {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    fed_through(OwnedFd::from(ours), theirs)
}

/// A socket of records that may be as short as nothing.
pub(super) fn unix_datagrams(_: &Fixture) -> Source {
    let (ours, theirs) = UnixDatagram::pair().expect("a pair");
    fed_through(OwnedFd::from(ours), theirs)
}

/// A socket of records in order.
pub(super) fn seqpacket(_: &Fixture) -> Source {
    let (ours, theirs) = seqpacket_pair();
    fed_through(ours, theirs)
}

/// Both ends of a connection that keeps records apart.
pub(super) fn seqpacket_pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("a pair")
}

/// A TCP connection.
pub(super) fn tcp(_: &Fixture) -> Source {
    let (ours, theirs) = tcp_pair();
    fed_through(OwnedFd::from(ours), theirs)
}

/// Both ends of a TCP connection.
pub(super) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|error| skip(error.to_string()));
    let ours = TcpStream::connect(listener.local_addr().expect("its address")).expect("a connection");
    let (theirs, _) = listener.accept().expect("its other end");
    (ours, theirs)
}

/// A UDP socket that is connected.
pub(super) fn udp(_: &Fixture) -> Source {
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|error| skip(error.to_string()));
    let (ours, theirs) = (bind(), bind());
    ours.connect(theirs.local_addr().expect("its address")).expect("a peer");
    theirs.connect(ours.local_addr().expect("its address")).expect("a peer");
    fed_through(OwnedFd::from(ours), theirs)
}

/// A socket by which the kernel tells of network devices.
pub(super) fn netlink(_: &Fixture) -> Source {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None);
    let socket = socket.unwrap_or_else(|error| skip(format!("netlink: {error}")));
    let other = socket.try_clone().expect("a clone");
    let feed = move |_| {
        // RTM_GETLINK of the device 1, as struct nlmsghdr and struct ifinfomsg.
        let header = [32_u32.to_ne_bytes(), [18, 0, 1, 0], [0; 4], [0; 4]].concat();
        let message = [header.as_slice(), &[0; 4], &1_u32.to_ne_bytes(), &[0; 8]].concat();
        write(&other, &message).expect("a request");
        None
    };
    Source { fd: socket.into(), len: 64 << 10, feed: Box::new(feed) }
}

/// A counter.
pub(super) fn event_counter(_: &Fixture) -> Source {
    let counter = eventfd(0, EventfdFlags::CLOEXEC).expect("an eventfd");
    let other = counter.try_clone().expect("a clone");
    let feed = move |count: u8| {
        let count = (u64::from(count) + 1).to_ne_bytes();
        write(&other, &count).expect("an eventfd takes a number");
        Some(count.to_vec())
    };
    Source { fd: counter.into(), len: 8, feed: Box::new(feed) }
}

/// A counter that is open with `O_NONBLOCK`.
pub(super) fn nonblocking_event_counter(fixture: &Fixture) -> Source {
    nonblocking(event_counter(fixture))
}

/// A timer that nobody has set.
pub(super) fn timer(_: &Fixture) -> Source {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).expect("a timerfd");
    let other = timer.try_clone().expect("a clone");
    let feed = move |_| {
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let soon = Itimerspec { it_interval: none, it_value: Timespec { tv_sec: 0, tv_nsec: 1000 } };
        timerfd_settime(&other, TimerfdTimerFlags::empty(), &soon).expect("a time");
        Some(1_u64.to_ne_bytes().to_vec())
    };
    Source { fd: timer.into(), len: 8, feed: Box::new(feed) }
}

/// A timer that is open with `O_NONBLOCK`.
pub(super) fn nonblocking_timer(fixture: &Fixture) -> Source {
    nonblocking(timer(fixture))
}

/// What tells of changes in a directory.
pub(super) fn watch(fixture: &Fixture) -> Source {
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap_or_else(|error| skip(format!("inotify: {error}")));
    let dir = fixture.path("watched");
    std::fs::create_dir(&dir).expect("a directory");
    inotify::add_watch(&watch, &dir, inotify::WatchFlags::CREATE).expect("a watch");
    let feed = move |number: u8| {
        File::create(dir.join(number.to_string())).expect("a file");
        None
    };
    Source { fd: watch.into(), len: 4096, feed: Box::new(feed) }
}

/// Both ends of a terminal that changes nothing on the way.
pub(super) fn terminal_pair() -> (OwnedFd, File) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags).unwrap_or_else(|error| skip(format!("no pseudo-terminal: {error}")));
    grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("a pseudo-terminal");
    let name = ptsname(&ours, Vec::new()).expect("its name").into_string().expect("its name");
    let theirs = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(&name);
    let theirs = theirs.unwrap_or_else(|error| skip(format!("{name}: {error}")));
    let mut modes = tcgetattr(&theirs).expect("its modes");
    modes.make_raw();
    tcsetattr(&theirs, OptionalActions::Now, &modes).expect("its modes");
    (ours, theirs)
}

/// A terminal, as a program has it.
pub(super) fn terminal(_: &Fixture) -> Source {
    let (ours, theirs) = terminal_pair();
    fed_through(theirs, ours)
}

/// A terminal, as the emulator has it.
pub(super) fn terminal_master(_: &Fixture) -> Source {
    let (ours, theirs) = terminal_pair();
    fed_through(ours, theirs)
}

/// The kernel's log, whose records are read whole. One test on the machine has it at a time, so that no other feeds it.
pub(super) fn kernel_log(_: &Fixture) -> Source {
    let open = || {
        let writer = File::options().write(true).open("/dev/kmsg")?;
        let begun = Instant::now();
        while flock(&writer, FlockOperation::NonBlockingLockExclusive).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(std::io::Error::other("other tests have it"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut log = File::open("/dev/kmsg")?;
        log.seek(SeekFrom::End(0))?;
        Ok((log, writer))
    };
    let (log, mut writer) = open().unwrap_or_else(|error| skip(format!("/dev/kmsg: {error}")));
    let feed = move |number| {
        writer.write_all(format!("<7>caio: a test, {number}\n").as_bytes()).expect("a line");
        None
    };
    Source { fd: log.into(), len: 8192, feed: Box::new(feed) }
}
