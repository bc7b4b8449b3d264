//! Sockets: records go whole, and errors are told.

use crate::support::both;
use caio_conformance::kit::{block_on, park, pattern};
use caio_core::{NO_OFFSET, Outcome, SharedFd};
use futures::future::Either;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

/// A socket as operations take it.
fn shared(socket: impl Into<OwnedFd>) -> SharedFd {
    SharedFd::from(socket.into())
}

/// An error that is told once reaches the caller.
#[test]
fn a_peer_that_left_with_data_unread_is_told() {
    for (name, builder) in both() {
        let ctx = builder.build().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        (&ours).write_all(b"unread").unwrap();
        drop(theirs);
        let fd = shared(ours);
        let error = block_on(ctx.read(8, &fd, NO_OFFSET)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{name}");
        assert_eq!(block_on(ctx.read(8, &fd, NO_OFFSET)).unwrap(), b"", "{name}");
        let (written, _) = block_on(ctx.write(b"nobody", &fd, NO_OFFSET));
        assert_eq!(written.unwrap_err().kind(), ErrorKind::BrokenPipe, "{name}");
    }
}

/// So does one that comes while a read waits.
#[test]
fn an_error_ends_a_read_that_waits() {
    for (name, builder) in both() {
        let ctx = builder.build().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut reading, fd) = (ours.try_clone().unwrap(), shared(ours));
        let mut read = ctx.read(8, &fd, NO_OFFSET);
        drop(park(&mut read));
        reading.write_all(b"unread").unwrap();
        drop(theirs);
        assert_eq!(block_on(read).unwrap_err().kind(), ErrorKind::ConnectionReset, "{name}");
    }
}

/// A datagram is not cut, whatever its length.
#[test]
fn a_datagram_goes_whole() {
    for (name, builder) in both() {
        let ctx = builder.build().unwrap();
        for len in [0, 1, 65_536, 65_537, 128 * 1024] {
            let (ours, theirs) = UnixDatagram::pair().unwrap();
            let (from, to) = (shared(ours), shared(theirs));
            let data = pattern(len);
            let mut waiting = ctx.read_into(vec![0; 150_000], &to, NO_OFFSET);
            drop(park(&mut waiting));
            assert_eq!(block_on(ctx.write(data.clone(), &from, NO_OFFSET)).0.unwrap(), len, "{name}");
            let (received, buf) = block_on(waiting);
            assert_eq!((received.unwrap(), buf == data), (len, true), "{name} {len}: one that waits");
            let halves = data.chunks(len / 2 + 1).map(<[u8]>::to_vec).collect();
            assert_eq!(block_on(ctx.writev::<Vec<u8>>(halves, &from, NO_OFFSET)).0.unwrap(), len, "{name}");
            let (received, bufs) = block_on(ctx.readv(vec![vec![0; 1000], vec![0; 150_000]], &to, NO_OFFSET));
            assert_eq!((received.unwrap(), bufs.concat() == data), (len, true), "{name} {len}: one that has come");
        }
    }
}

/// A datagram that finds no room waits, whole; so does an empty one in its turn.
#[test]
fn a_datagram_waits_for_room() {
    for (name, builder) in both() {
        let ctx = builder.build().unwrap();
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let fd = shared(ours);
        let (mut sent, mut write) = (0_u32, ctx.write(vec![7; 10_000], &fd, NO_OFFSET).submit());
        while matches!(block_on(futures::future::select(&mut write, timer(100))), Either::Left(_)) {
            (sent, write) = (sent + 1, ctx.write(vec![7; 10_000], &fd, NO_OFFSET).submit());
        }
        let empty = ctx.write(b"", &fd, NO_OFFSET).submit();
        let mut buf = vec![0; 20_000];
        for _ in 0..=sent {
            assert_eq!(theirs.recv(&mut buf).unwrap(), 10_000, "{name}");
        }
        assert_eq!(block_on(write).0.unwrap(), 10_000, "{name}");
        assert_eq!((theirs.recv(&mut buf).unwrap(), block_on(empty).0.unwrap()), (0, 0), "{name}");
    }
}

/// Ends after some milliseconds.
fn timer(millis: u64) -> std::pin::Pin<Box<dyn Future<Output = ()>>> {
    let (done, waits) = futures::channel::oneshot::channel::<()>();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(millis));
        drop(done);
    });
    Box::pin(async { assert!(waits.await.is_err(), "nothing is sent") })
}

/// Both directions of a socket wait at the same time, each for itself.
#[test]
fn both_directions_wait() {
    for (name, builder) in both() {
        let ctx = builder.build().unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let fd = shared(ours);
        for _ in 0..5 {
            let mut read = ctx.read(64, &fd, NO_OFFSET);
            drop(park(&mut read));
            let data = pattern(1 << 19);
            let write = async {
                let mut done = 0;
                while done < data.len() {
                    let rest = data[done..].to_vec();
                    done += ctx.write(rest, &fd, NO_OFFSET).await.0.unwrap();
                }
            };
            let mut peer = theirs.try_clone().unwrap();
            let reader = std::thread::spawn(move || {
                let mut all = vec![0; 1 << 19];
                peer.read_exact(&mut all).unwrap();
                all
            });
            block_on(write);
            assert!(reader.join().unwrap() == data, "{name}");
            theirs.write_all(b"answer").unwrap();
            assert_eq!(block_on(read).unwrap(), b"answer", "{name}");
        }
    }
}

/// A close that waits, of a lingering socket, holds up nobody.
#[test]
fn a_lingering_socket_holds_nobody_up() {
    for (name, builder) in both() {
        let ctx = builder.build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_theirs, _) = listener.accept().unwrap();
        rustix::net::sockopt::set_socket_linger(&ours, Some(Duration::from_secs(2))).unwrap();
        ours.set_nonblocking(true).unwrap();
        while (&ours).write(&[0; 65_536]).is_ok() {}
        ours.set_nonblocking(false).unwrap();
        let fd = shared(ours);
        let mut read = ctx.read(8, &fd, NO_OFFSET);
        drop(park(&mut read));
        drop(fd);
        let started = Instant::now();
        drop(read);
        let (quick, mut other) = UnixStream::pair().unwrap();
        let quick = shared(quick);
        let mut waiting = ctx.read(8, &quick, NO_OFFSET);
        drop(park(&mut waiting));
        other.write_all(b"data").unwrap();
        assert_eq!(block_on(waiting).unwrap(), b"data", "{name}");
        assert!(matches!(block_on(ctx.read(8, &quick, NO_OFFSET).submit().cancel()), Outcome::Cancelled(_)));
        assert!(started.elapsed() < Duration::from_secs(1), "{name}: {:?}", started.elapsed());
    }
}
