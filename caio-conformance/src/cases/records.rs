//! Transfers that are one piece: records of sockets, what a device takes, what is appended.

use super::cases;
use super::sources::seqpacket_pair;
use crate::fixture::{Fixture, skip};
use crate::kit::{block_on, join_all, park, pattern};
use caio_core::{NO_OFFSET, SharedFd};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

cases!("records":
    datagrams_go_whole, packets_go_whole, datagrams_come_whole, packets_come_whole, too_large_for_its_buffer,
    vectored_datagram, packets_of_a_pipe, null_device_takes_all, null_device_takes_more_than_a_call,
    appended_vectors_are_whole, appended_at_once;
    alone: random_device_gives_all,
);

/// How long records are: from those that fit into a piece of any size to those that do not.
const LENGTHS: [usize; 5] = [1, 4096, 4097, 65_537, 131_072];

/// A pair of sockets with room for the longest record.
fn roomy(pair: (impl Into<OwnedFd>, impl Into<OwnedFd>)) -> (OwnedFd, OwnedFd) {
    let (ours, theirs) = (pair.0.into(), pair.1.into());
    for end in [&ours, &theirs] {
        set_socket_send_buffer_size(end, 1 << 20).expect("an option");
        set_socket_recv_buffer_size(end, 1 << 20).expect("an option");
    }
    (ours, theirs)
}

/// Ends the case where the system has no room for such a record.
fn needs_room_for(ours: &OwnedFd, theirs: &OwnedFd, record: &[u8]) {
    match rustix::io::write(ours, record) {
        Ok(bytes) => assert_eq!(bytes, record.len()),
        Err(error) => skip(format!("a record of {} bytes: {error}", record.len())),
    }
    assert_eq!(rustix::io::read(theirs, &mut vec![0; record.len()]), Ok(record.len()));
}

/// Writes records, which come out as they were.
fn go_whole(fixture: &Fixture, (ours, theirs): (OwnedFd, OwnedFd)) {
    let ctx = fixture.context();
    let longest = pattern(*LENGTHS.last().expect("there are some"));
    needs_room_for(&ours, &theirs, &longest);
    let fd: SharedFd = ours.into();
    let mut room = vec![0; longest.len() + 1];
    for len in LENGTHS {
        for submitted in [false, true] {
            let write = ctx.write(longest[..len].to_vec(), &fd, NO_OFFSET);
            let write = if submitted { write.submit() } else { write };
            assert_eq!(block_on(write).0.expect("a write"), len);
            assert_eq!(rustix::io::read(&theirs, &mut room).expect("a read"), len, "the record is cut");
            assert!(room[..len] == longest[..len]);
        }
    }
}

/// Datagrams are written whole.
fn datagrams_go_whole(fixture: &Fixture) {
    go_whole(fixture, roomy(UnixDatagram::pair().expect("a pair")));
}

/// So are packets of a connection.
fn packets_go_whole(fixture: &Fixture) {
    go_whole(fixture, roomy(seqpacket_pair()));
}

/// Reads records as they were written, those that are there and those that are waited for.
fn come_whole(fixture: &Fixture, (ours, theirs): (OwnedFd, OwnedFd)) {
    let ctx = fixture.context();
    let longest = pattern(*LENGTHS.last().expect("there are some"));
    needs_room_for(&theirs, &ours, &longest);
    let fd: SharedFd = ours.into();
    for len in LENGTHS {
        for waits in [false, true] {
            let mut read = ctx.read(longest.len() + 1, &fd, NO_OFFSET);
            if waits {
                park(&mut read);
            }
            assert_eq!(rustix::io::write(&theirs, &longest[..len]), Ok(len));
            let got = block_on(read).expect("a read");
            assert!(got == longest[..len], "{} of {len} bytes came", got.len());
        }
    }
}

/// Datagrams are read whole.
fn datagrams_come_whole(fixture: &Fixture) {
    come_whole(fixture, roomy(UnixDatagram::pair().expect("a pair")));
}

/// So are packets.
fn packets_come_whole(fixture: &Fixture) {
    come_whole(fixture, roomy(seqpacket_pair()));
}

/// What does not fit into the buffer is lost with its record, and the next read gets the next record.
fn too_large_for_its_buffer(fixture: &Fixture) {
    let ctx = fixture.context();
    let (ours, theirs) = UnixDatagram::pair().expect("a pair");
    let fd: SharedFd = OwnedFd::from(ours).into();
    theirs.send(b"longer than the buffer").expect("room");
    theirs.send(b"next").expect("room");
    assert_eq!(block_on(ctx.read(6, &fd, NO_OFFSET)).expect("a read"), b"longer");
    assert_eq!(block_on(ctx.read(6, &fd, NO_OFFSET)).expect("a read"), b"next");
}

/// Several buffers are one record.
fn vectored_datagram(fixture: &Fixture) {
    let ctx = fixture.context();
    let (ours, theirs) = roomy(UnixDatagram::pair().expect("a pair"));
    let data = pattern(90_000);
    needs_room_for(&ours, &theirs, &data);
    let (fd, other): (SharedFd, SharedFd) = (ours.into(), theirs.into());
    let parts = data.chunks(30_000).map(<[u8]>::to_vec).collect();
    assert_eq!(block_on(ctx.writev(parts, &fd, NO_OFFSET)).0.expect("a write"), data.len());
    let room = vec![vec![0; 40_000], vec![0; 40_000], vec![0; 40_000]];
    let (read, bufs) = block_on(ctx.readv(room, &other, NO_OFFSET));
    assert_eq!(read.expect("a read"), data.len());
    assert!(bufs.concat() == data);
}

/// A pipe that keeps packets apart gives one to each read.
fn packets_of_a_pipe(fixture: &Fixture) {
    let ctx = fixture.context();
    let (reader, writer) = pipe_with(PipeFlags::DIRECT | PipeFlags::CLOEXEC)
        .unwrap_or_else(|error| skip(format!("no pipe keeps packets here: {error}")));
    let (reader, writer): (SharedFd, SharedFd) = (reader.into(), writer.into());
    for packet in [&b"one"[..], b"three", b"seventeen"] {
        assert_eq!(block_on(ctx.write(packet.to_vec(), &writer, NO_OFFSET)).0.expect("a write"), packet.len());
    }
    for packet in [&b"one"[..], b"three", b"seventeen"] {
        assert_eq!(block_on(ctx.read(64, &reader, NO_OFFSET)).expect("a read"), packet);
    }
}

/// A device that takes all in one piece is given all in one piece.
fn null_device_takes_all(fixture: &Fixture) {
    let ctx = fixture.context();
    let null: SharedFd = File::options().write(true).open("/dev/null").expect("the device").into();
    for len in [60_000, 100_000, 1 << 20] {
        for offset in [0, NO_OFFSET] {
            for submitted in [false, true] {
                let write = ctx.write(vec![1; len], &null, offset);
                let write = if submitted { write.submit() } else { write };
                assert_eq!(block_on(write).0.expect("a write"), len);
            }
            let parts = vec![vec![1; len / 2], vec![2; len / 2]];
            assert_eq!(block_on(ctx.writev(parts, &null, offset)).0.expect("a write"), len);
        }
    }
}

/// More than a system call takes is written as far as it goes, and harms no later operation. The memory is never touched.
fn null_device_takes_more_than_a_call(fixture: &Fixture) {
    if cfg!(target_pointer_width = "32") {
        skip("there is not as much memory");
    }
    let ctx = fixture.context();
    let null: SharedFd = File::options().write(true).open("/dev/null").expect("the device").into();
    let part: &'static [u8] = Vec::leak(vec![0; 1 << 30]);
    for offset in [0, NO_OFFSET] {
        let written = block_on(ctx.writev(vec![part; 3], &null, offset)).0.expect("a write");
        assert!((1..=3 << 30).contains(&written), "{written} bytes");
        assert_eq!(block_on(ctx.write(b"more", &null, offset)).0.expect("a later write"), 4);
    }
}

/// A device that fills any buffer fills it.
fn random_device_gives_all(fixture: &Fixture) {
    let ctx = fixture.context();
    let random: SharedFd = File::open("/dev/urandom").unwrap_or_else(|error| skip(error.to_string())).into();
    for len in [4096, 65_536, 1 << 20] {
        let mut all = Vec::new();
        while all.len() < len {
            let read = block_on(ctx.read(len - all.len(), &random, 0)).expect("a read");
            assert!(!read.is_empty(), "it has no end");
            all.extend(read);
        }
        let most = all.chunks(64).filter(|chunk| chunk.iter().any(|byte| *byte != chunk[0])).count();
        assert_eq!(most, len / 64, "what was read is not random");
    }
}

/// What is appended by several handles at once is not torn, in however many buffers it is.
fn appended_vectors_are_whole(fixture: &Fixture) {
    let ctx = fixture.context();
    drop(fixture.file("log", b""));
    let handles: Vec<SharedFd> =
        (0..8).map(|_| File::options().append(true).open(fixture.path("log")).expect("a handle").into()).collect();
    for offset in [NO_OFFSET, 0] {
        let record = |number: usize| vec![vec![number as u8; RECORD / 24]; 24];
        let writes = (0..80).map(|number| ctx.writev(record(number), &handles[number % 8], offset).submit()).collect();
        for (written, _) in block_on(join_all(writes)) {
            assert_eq!(written.expect("a write"), RECORD);
        }
    }
    assert_whole(&fixture.content("log"), 160);
}

/// How long a record of a log is.
const RECORD: usize = 48_000;

/// Each record is of one number.
fn assert_whole(content: &[u8], records: usize) {
    assert_eq!(content.len(), records * RECORD);
    for (place, record) in content.chunks(RECORD).enumerate() {
        assert!(record.iter().all(|byte| *byte == record[0]), "record {place} is torn");
    }
}

/// So is what is appended by one handle.
fn appended_at_once(fixture: &Fixture) {
    let ctx = fixture.context();
    drop(fixture.file("log", b""));
    let fd: SharedFd = File::options().append(true).open(fixture.path("log")).expect("a handle").into();
    let writes = (0..80_u8).map(|number| ctx.write(vec![number; RECORD], &fd, NO_OFFSET).submit()).collect();
    for (written, _) in block_on(join_all(writes)) {
        assert_eq!(written.expect("a write"), RECORD);
    }
    let content = fixture.content("log");
    assert_whole(&content, 80);
    let mut numbers: Vec<_> = content.chunks(RECORD).map(|record| record[0]).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..80), "each was appended once");
}
