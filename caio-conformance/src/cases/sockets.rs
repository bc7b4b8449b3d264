//! Sockets: what is told once is not thrown away, and what is slow to close holds up nobody.

use super::cases;
use super::sources::{seqpacket_pair, tcp_pair};
use crate::context::Context;
use crate::fixture::{Fixture, skip};
use crate::kit::{assert_kind, assert_same_error, block_on, park, until};
use caio_core::{NO_OFFSET, SharedFd, errno};
use rustix::net::{SendFlags, Shutdown, send, shutdown, sockopt};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::{Duration, Instant};

cases!("sockets":
    reset_is_told_by_the_first_read, reset_is_told_to_whoever_waits, reset_of_records, reset_of_tcp,
    reset_is_told_in_a_batch, refused_datagram_is_told_once, broken_connection_is_told_to_writes,
    half_closed, listening_socket_is_no_stream, unconnected_socket, urgent_data, empty_datagram,
    lingering_close_holds_up_nobody,
);

/// A unix stream whose peer has left with our data unread.
fn reset_stream() -> SharedFd {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    (&ours).write_all(b"unread").expect("room");
    drop(theirs);
    OwnedFd::from(ours).into()
}

/// It says so once, and then has ended.
fn assert_reset(ctx: &Context, fd: &SharedFd) {
    let error = block_on(ctx.read(8, fd, NO_OFFSET)).expect_err("the peer left with our data unread");
    assert_eq!(errno(&error), Some(libc::ECONNRESET), "{error}");
    assert_eq!(block_on(ctx.read(8, fd, NO_OFFSET)).expect("the end"), b"");
}

/// The first read is told, however it is made.
fn reset_is_told_by_the_first_read(fixture: &Fixture) {
    let ctx = fixture.context();
    assert_reset(&ctx, &reset_stream());
    let fd = reset_stream();
    let (read, buf) = block_on(ctx.read_into(vec![7; 8], &fd, NO_OFFSET));
    assert_same_error("a read into a buffer", read, reset_stream().file().read(&mut [0; 8]));
    assert_eq!(buf.len(), 8);
    let fd = reset_stream();
    let (read, _) = block_on(ctx.readv(vec![vec![7; 8], vec![7; 8]], &fd, NO_OFFSET));
    assert_same_error("a vectored read", read, reset_stream().file().read(&mut [0; 8]));
    let fd = reset_stream();
    let read = block_on(ctx.read(8, &fd, NO_OFFSET).submit());
    assert_same_error("a submitted read", read, reset_stream().file().read(&mut [0; 8]));
    let large = reset_stream();
    let read = block_on(ctx.read(1 << 20, &large, NO_OFFSET));
    assert_same_error("a large read", read, reset_stream().file().read(&mut [0; 8]));
}

/// A read that waits is told.
fn reset_is_told_to_whoever_waits(fixture: &Fixture) {
    let ctx = fixture.context();
    for _ in 0..20 {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let fd: SharedFd = OwnedFd::from(ours).into();
        let mut read = ctx.read(8, &fd, NO_OFFSET);
        park(&mut read);
        assert_eq!(block_on(ctx.write(b"unread", &fd, NO_OFFSET)).0.expect("a write"), 6);
        drop(theirs);
        let error = block_on(read).expect_err("the peer left with our data unread");
        assert_eq!(errno(&error), Some(libc::ECONNRESET), "{error}");
    }
}

/// A connection of records says so as well.
fn reset_of_records(fixture: &Fixture) {
    let ctx = fixture.context();
    let (ours, theirs) = seqpacket_pair();
    rustix::io::write(&ours, b"unread").expect("room");
    drop(theirs);
    assert_reset(&ctx, &ours.into());
}

/// So does TCP.
fn reset_of_tcp(fixture: &Fixture) {
    let ctx = fixture.context();
    let (ours, theirs) = tcp_pair();
    sockopt::set_socket_linger(&theirs, Some(Duration::ZERO)).expect("an option");
    drop(theirs);
    let fd: SharedFd = OwnedFd::from(ours).into();
    // The reset is on its way.
    let error = block_on(ctx.read(8, &fd, NO_OFFSET)).expect_err("the peer has thrown the connection away");
    assert_eq!(errno(&error), Some(libc::ECONNRESET), "{error}");
    assert_eq!(block_on(ctx.read(8, &fd, NO_OFFSET)).expect("the end"), b"");
}

/// A read of a batch is told.
fn reset_is_told_in_a_batch(fixture: &Fixture) {
    let ctx = fixture.context();
    let (one, two) = (reset_stream(), reset_stream());
    let mut batch = ctx.batch();
    let reads = [batch.read(8, &one, NO_OFFSET), batch.read(8, &two, NO_OFFSET)];
    batch.submit().expect("a batch");
    for read in reads {
        let error = block_on(read).expect_err("the peer left with our data unread");
        assert_eq!(errno(&error), Some(libc::ECONNRESET), "{error}");
    }
}

/// That nobody takes a datagram is told to one read; the next waits.
fn refused_datagram_is_told_once(fixture: &Fixture) {
    let ctx = fixture.context();
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|error| skip(error.to_string()));
    let (ours, gone) = (bind(), bind());
    ours.connect(gone.local_addr().expect("its address")).expect("a peer");
    drop(gone);
    let fd: SharedFd = OwnedFd::from(ours.try_clone().expect("a clone")).into();
    for polled_before in [false, true] {
        let mut read = ctx.read(8, &fd, NO_OFFSET);
        if polled_before {
            park(&mut read);
        }
        ours.send(b"nobody").expect("it leaves");
        let error = block_on(read).expect_err("nobody is there");
        assert_eq!(errno(&error), Some(libc::ECONNREFUSED), "{error}");
        let next = ctx.read(8, &fd, NO_OFFSET).timeout(Duration::from_millis(20));
        assert_kind("the next", block_on(next), ErrorKind::TimedOut);
    }
}

/// A connection that broke is told to writes as the system call tells it.
fn broken_connection_is_told_to_writes(fixture: &Fixture) {
    let ctx = fixture.context();
    let broken = || {
        let (ours, theirs) = tcp_pair();
        sockopt::set_socket_linger(&theirs, Some(Duration::ZERO)).expect("an option");
        drop(theirs);
        let fd: SharedFd = OwnedFd::from(ours).into();
        let mut now = [rustix::event::PollFd::new(fd.file(), rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut now, None).expect("the reset comes");
        fd
    };
    let (ours, plain) = (broken(), broken());
    for _ in 0..2 {
        let (written, _) = block_on(ctx.write(b"data", &ours, NO_OFFSET));
        assert_same_error("a write", written, plain.file().write(b"data"));
    }
}

/// A peer that has closed its sending half still gets what is written.
fn half_closed(fixture: &Fixture) {
    let ctx = fixture.context();
    for (ours, theirs) in [pair_of(UnixStream::pair().expect("a pair")), pair_of(tcp_pair())] {
        let fd: SharedFd = ours.into();
        let mut read = ctx.read(8, &fd, NO_OFFSET);
        park(&mut read);
        shutdown(&theirs, Shutdown::Write).expect("half of it is closed");
        assert_eq!(block_on(read).expect("the end"), b"");
        assert_eq!(block_on(ctx.write(b"still", &fd, NO_OFFSET)).0.expect("a write"), 5);
        let mut got = [0; 8];
        assert_eq!(rustix::io::read(&theirs, &mut got).expect("a read"), 5);
    }
}

/// Both ends as descriptors.
fn pair_of(pair: (impl Into<OwnedFd>, impl Into<OwnedFd>)) -> (OwnedFd, OwnedFd) {
    (pair.0.into(), pair.1.into())
}

/// A socket that listens has nothing to read, and says so at once.
fn listening_socket_is_no_stream(fixture: &Fixture) {
    let ctx = fixture.context();
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|error| skip(error.to_string()));
    // A name that is no path, because the path of the fixture's directory may be too long.
    let name = SocketAddr::from_abstract_name(fixture.name());
    let unix = UnixListener::bind_addr(&name.expect("a name")).expect("a socket");
    for socket in [OwnedFd::from(tcp), OwnedFd::from(unix)] {
        let fd: SharedFd = socket.into();
        assert_same_error("a read", block_on(ctx.read(8, &fd, NO_OFFSET)), fd.file().read(&mut [0; 8]));
        assert_same_error("a write", block_on(ctx.write(b"no", &fd, NO_OFFSET)).0, fd.file().write(b"no"));
    }
}

/// Nor has one that is not connected.
fn unconnected_socket(fixture: &Fixture) {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let ctx = fixture.context();
    for family in [AddressFamily::INET, AddressFamily::UNIX] {
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("a socket");
        let fd: SharedFd = socket.into();
        assert_same_error("a read", block_on(ctx.read(8, &fd, NO_OFFSET)), fd.file().read(&mut [0; 8]));
        assert_same_error("a write", block_on(ctx.write(b"no", &fd, NO_OFFSET)).0, fd.file().write(b"no"));
    }
}

/// Urgent data is no data: a read waits for what comes in line.
fn urgent_data(fixture: &Fixture) {
    let ctx = fixture.context();
    let (ours, mut theirs) = tcp_pair();
    let fd: SharedFd = OwnedFd::from(ours).into();
    let mut read = ctx.read(8, &fd, NO_OFFSET);
    park(&mut read);
    send(&theirs, b"!", SendFlags::OOB).expect("an urgent byte");
    theirs.write_all(b"calm").expect("room");
    let mut all = block_on(read).expect("a read");
    while all.len() < 4 {
        all.extend(block_on(ctx.read(8, &fd, NO_OFFSET)).expect("a read"));
    }
    assert_eq!(all, b"calm");
}

/// A record of nothing ends a read, and is no end.
fn empty_datagram(fixture: &Fixture) {
    let ctx = fixture.context();
    let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().expect("a pair");
    let fd: SharedFd = OwnedFd::from(ours).into();
    let mut read = ctx.read(8, &fd, NO_OFFSET);
    park(&mut read);
    theirs.send(b"").expect("a record of nothing");
    theirs.send(b"next").expect("another");
    assert_eq!(block_on(read).expect("a read"), b"");
    assert_eq!(block_on(ctx.read(8, &fd, NO_OFFSET)).expect("a read"), b"next");
    assert_eq!(block_on(ctx.write(b"", &fd, NO_OFFSET)).0.expect("a record of nothing"), 0);
    assert_eq!(theirs.recv(&mut [0; 8]).expect("it comes"), 0);
}

/// A close that lingers, when the last handle goes with a read that was given up, is waited for by nobody who polls or drops, and by no
/// other stream.
fn lingering_close_holds_up_nobody(fixture: &Fixture) {
    const LINGER: Duration = Duration::from_secs(2);
    let ctx = fixture.context();
    let (ours, theirs) = tcp_pair();
    ours.set_nonblocking(true).expect("a flag");
    while (&ours).write(&[0; 1 << 16]).is_ok() {}
    ours.set_nonblocking(false).expect("a flag");
    sockopt::set_socket_linger(&ours, Some(LINGER)).expect("an option");
    let fd: SharedFd = OwnedFd::from(ours).into();
    let mut read = ctx.read(8, &fd, NO_OFFSET);
    park(&mut read);
    drop(fd);
    let begun = Instant::now();
    drop(read);
    assert!(begun.elapsed() < LINGER / 4, "the drop has waited: {:?}", begun.elapsed());
    goes_on(fixture, &ctx);
    assert!(begun.elapsed() < LINGER / 2, "others have waited: {:?}", begun.elapsed());
    drop(theirs);
    until("all room is given back", || ctx.in_flight() == 0);
}

/// Streams, files and time limits work.
fn goes_on(fixture: &Fixture, ctx: &Context) {
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let other: SharedFd = OwnedFd::from(ours).into();
    let fd = fixture.file("other", b"data");
    for round in 0..5 {
        let mut read = ctx.read(8, &other, NO_OFFSET);
        park(&mut read);
        theirs.write_all(&[round]).expect("room");
        assert_eq!(block_on(read).expect("a read"), [round]);
        block_on(ctx.fsync(&fd)).expect("a sync");
        let late = ctx.read(8, &other, NO_OFFSET).timeout(Duration::from_millis(5));
        assert_kind("a read", block_on(late), ErrorKind::TimedOut);
    }
}
