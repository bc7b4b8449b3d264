//! What the portable implementation costs, and what it keeps together.

use caio_conformance::kit::block_on;
use caio_core::SharedFd;
use caio_thread::ThreadPool;
use std::io::Write;

/// The most memory that the process has had, in KiB.
#[cfg(target_os = "linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

/// The cost of a read follows what there is, and not the room for it.
#[cfg(target_os = "linux")]
#[test]
fn a_large_buffer_for_a_small_file() {
    caio_conformance::kit::alone("portable::a_large_buffer_for_a_small_file", || {
        let ctx = ThreadPool::builder().portable(true).build().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"small").unwrap();
        let fd: SharedFd = file.into();
        let before = peak();
        for offset in [0, caio_core::NO_OFFSET] {
            std::io::Seek::rewind(&mut fd.file()).unwrap();
            assert_eq!(block_on(ctx.read(1 << 30, &fd, offset)).unwrap(), b"small");
        }
        let (read, _) = block_on(ctx.readv(vec![Vec::<u8>::with_capacity(0), vec![0; 1 << 28]], &fd, 0));
        assert_eq!(read.unwrap(), 5);
        assert!(peak() - before < 64 << 10, "{} KiB", peak() - before);
    });
}

/// A read of more than one piece is whole, from any buffers.
#[test]
fn a_long_read_is_whole() {
    let ctx = ThreadPool::builder().portable(true).build().unwrap();
    let content: Vec<u8> = (0..3_500_000_u32).map(|at| (at % 251) as u8).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content).unwrap();
    let fd: SharedFd = file.into();
    assert!(block_on(ctx.read(4_000_000, &fd, 0)).unwrap() == content);
    assert!(block_on(ctx.read(2 << 20, &fd, 7)).unwrap() == content[7..(2 << 20) + 7]);
    let (read, bufs) = block_on(ctx.readv(vec![vec![0; 1_000_001], vec![0; 99], vec![0; 3_000_000]], &fd, 0));
    assert_eq!(read.unwrap(), content.len());
    assert!(bufs.concat()[..content.len()] == content);
    std::io::Seek::rewind(&mut fd.file()).unwrap();
    assert!(block_on(ctx.read(4_000_000, &fd, caio_core::NO_OFFSET)).unwrap() == content);
}

/// Each vectored write to the end of a file lands in one piece, from as many descriptors as there
/// are.
#[test]
fn records_at_the_end_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let writers: Vec<_> = (b'a'..b'i')
        .map(|byte| {
            let fd: SharedFd = std::fs::File::options().append(true).create(true).open(&path).unwrap().into();
            std::thread::spawn(move || {
                let ctx = ThreadPool::builder().portable(true).build().unwrap();
                for round in 0..500 {
                    let offset = if round % 2 == 0 { 0 } else { caio_core::NO_OFFSET };
                    let mut record = vec![vec![byte]; 99];
                    record.push(b"\n".to_vec());
                    assert_eq!(block_on(ctx.writev(record, &fd, offset)).0.unwrap(), 100);
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let log = std::fs::read(&path).unwrap();
    let whole = |record: &[u8]| record[..99].iter().all(|byte| *byte == record[0]) && record[99] == b'\n';
    assert_eq!((log.len(), log.chunks(100).all(whole)), (400_000, true));
}
