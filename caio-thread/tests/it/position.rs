//! Transfers at a file's own position.

use crate::support::both;
use caio_conformance::kit::{BLOCK, block_on, open_direct, poll_once};
use caio_core::{AlignedBuf, NO_OFFSET, SharedFd};
use futures::future::join_all;
use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, Instant};

/// Each writes, and each reads, its own part: nothing is lost, nothing comes twice.
#[test]
fn one_at_a_time() {
    for (name, builder) in both() {
        let ctx = builder.pool_size(4).build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("position");
        for direct in [false, true] {
            let fd: SharedFd = if direct {
                drop(std::fs::File::create(&path).unwrap());
                let Ok(file) = open_direct(&path) else {
                    println!("SKIP: no O_DIRECT here");
                    continue;
                };
                file
            } else {
                std::fs::File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap().into()
            };
            let block = |byte: u8| {
                let mut buf = AlignedBuf::new(BLOCK, BLOCK);
                buf.extend_from_slice(&vec![byte; BLOCK]);
                buf
            };
            let writes = (1..=16).map(|byte| ctx.write(block(byte), &fd, NO_OFFSET).submit());
            for (written, _) in block_on(join_all(writes.collect::<Vec<_>>())) {
                assert_eq!(written.unwrap(), BLOCK, "{name}");
            }
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 16 * BLOCK as u64, "{name} direct {direct}");
            std::io::Seek::seek(&mut fd.file(), std::io::SeekFrom::Start(0)).unwrap();
            let reads: Vec<_> =
                (0..16).map(|_| ctx.read_into(AlignedBuf::new(BLOCK, BLOCK), &fd, NO_OFFSET).submit()).collect();
            let mut seen = BTreeSet::new();
            for (read, buf) in block_on(join_all(reads)) {
                assert_eq!(read.unwrap(), BLOCK, "{name}");
                assert!(buf.iter().all(|byte| *byte == buf[0]));
                seen.insert(buf[0]);
            }
            assert_eq!(seen, (1..=16).collect(), "{name} direct {direct}");
        }
    }
}

/// A poll does not wait for the position, which a long read holds.
#[test]
fn a_long_read_at_the_position_holds_no_poll_up() {
    for (name, builder) in both() {
        let ctx = builder.pool_size(2).build().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![1; 1 << 20]).unwrap();
        file.set_len(1 << 30).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let fd: SharedFd = file.into();
        let long = ctx.read_into(vec![0; 512 << 20], &fd, NO_OFFSET).submit();
        let started = Instant::now();
        let mut short = ctx.read_into(vec![0; 4096], &fd, 0);
        let ended = poll_once(&mut short).is_ready();
        let polled = started.elapsed();
        if !ended {
            assert_eq!(block_on(short).0.unwrap(), 4096, "{name}");
        }
        let clone: SharedFd = fd.file().try_clone().unwrap().into();
        let started = Instant::now();
        drop(poll_once(&mut ctx.read_into(vec![0; 4096], &clone, 0)));
        let cloned = started.elapsed();
        assert_eq!(block_on(long).0.unwrap(), 512 << 20, "{name}");
        assert!(polled.max(cloned) < Duration::from_millis(50), "{name}: {polled:?} {cloned:?}");
    }
}
