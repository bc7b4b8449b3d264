//! What waits: told by its type, it can be taken back, and occupies no worker.

use crate::support::{both, cpu_time, devices, fifo, file, queue_errors, spins_not, threads};
use caio_conformance::kit::{Resource, alone, block_on, limit, park, pipe, until};
use caio_core::{NO_OFFSET, Operation, Outcome, SharedFd};
use futures::future::join_all;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// An eventfd, a timerfd, a signalfd, an inotify descriptor, a terminal and the kernel's log: reads
/// of them time out, are cancelled and dropped, and occupy none of two workers.
#[test]
fn reads_of_devices_can_be_taken_back() {
    for (name, builder) in both() {
        let ctx = builder.pool_size(2).build().unwrap();
        let (kept, other) = (devices(), file());
        for (what, fd) in &kept {
            let started = Instant::now();
            let read = ctx.read_into(vec![0; 4096], fd, NO_OFFSET).timeout(Duration::from_millis(30));
            let (read, buf) = block_on(read);
            assert_eq!(read.unwrap_err().kind(), ErrorKind::TimedOut, "{name} {what}");
            assert!(started.elapsed() < Duration::from_secs(5), "{name} {what}");
            assert_eq!(buf.len(), 4096);
            let mut read = ctx.read_into(vec![0; 4096], fd, NO_OFFSET);
            drop(park(&mut read));
            assert!(matches!(block_on(read.cancel()), Outcome::Cancelled(_)), "{name} {what}");
            let dropped: Vec<_> = (0..4).map(|_| ctx.read(4096, fd, NO_OFFSET).submit()).collect();
            drop(dropped);
            block_on(ctx.fsync(&other)).unwrap();
        }
        until("nothing is in flight", || ctx.in_flight() == 0);
        for (what, fd) in kept {
            assert!(fd.try_unwrap().is_ok(), "{name} {what}: nobody holds it");
        }
    }
}

/// What waits ends with its context.
#[test]
fn reads_of_devices_end_with_their_context() {
    for (_, builder) in both() {
        let ctx = builder.build().unwrap();
        let mut held: Vec<SharedFd> = devices().into_iter().map(|(_, fd)| fd).collect();
        let mut reads: Vec<_> = held.iter().map(|fd| ctx.read(4096, fd, NO_OFFSET).submit()).collect();
        reads.iter_mut().for_each(|read| drop(park(read)));
        drop((ctx, reads));
        until("nobody holds them", || {
            held = std::mem::take(&mut held).into_iter().filter_map(|fd| fd.try_unwrap().err()).collect();
            held.is_empty()
        });
    }
}

/// What is ready is read, by a call that does not wait or by a worker.
#[test]
fn devices_are_read_when_they_are_ready() {
    for (name, builder) in both() {
        let ctx = builder.pool_size(1).build().unwrap();
        let event: SharedFd = rustix::event::eventfd(0, rustix::event::EventfdFlags::empty()).unwrap().into();
        let mut reads: Vec<_> = (0..3).map(|_| ctx.read(8, &event, NO_OFFSET).submit()).collect();
        reads.iter_mut().for_each(|read| drop(park(read)));
        for (count, read) in (1_u64..).zip(reads) {
            let (written, _) = block_on(ctx.write(count.to_ne_bytes().to_vec(), &event, NO_OFFSET));
            assert_eq!(written.unwrap(), 8, "{name}");
            assert_eq!(block_on(read).unwrap(), count.to_ne_bytes(), "{name}");
        }
        let dir = tempfile::tempdir().unwrap();
        let inotify = rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::empty()).unwrap();
        rustix::fs::inotify::add_watch(&inotify, dir.path(), rustix::fs::inotify::WatchFlags::CREATE).unwrap();
        let inotify: SharedFd = inotify.into();
        let mut read = ctx.read(4096, &inotify, NO_OFFSET);
        drop(park(&mut read));
        std::fs::write(dir.path().join("new"), b"").unwrap();
        assert!(!block_on(read).unwrap().is_empty(), "{name}");
    }
}

/// A descriptor in non-blocking mode waits like any other.
#[test]
fn nonblocking_descriptors_wait() {
    for (name, builder) in both() {
        let ctx = builder.build().unwrap();
        let (reader, mut writer) = pipe();
        rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::NONBLOCK).unwrap();
        let mut read = ctx.read(8, &reader, NO_OFFSET);
        drop(park(&mut read));
        writer.write_all(b"data").unwrap();
        assert_eq!(block_on(read).unwrap(), b"data", "{name}");
        let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK).unwrap();
        let event: SharedFd = event.into();
        let mut read = ctx.read(8, &event, NO_OFFSET);
        drop(park(&mut read));
        event.file().write_all(&7_u64.to_ne_bytes()).unwrap();
        assert_eq!(block_on(read).unwrap(), 7_u64.to_ne_bytes(), "{name}");
    }
}

/// Those that come while one waits are served after it, whatever comes when.
#[test]
fn first_come_first_served() {
    for (name, builder) in both() {
        let ctx = builder.build().unwrap();
        for (reader, mut writer) in [pipe(), fifo()] {
            let mut first = ctx.read(1, &reader, NO_OFFSET);
            drop(park(&mut first));
            for round in 0..50_u8 {
                writer.write_all(&[round, 100 + round]).unwrap();
                let second = ctx.read(1, &reader, NO_OFFSET).submit();
                assert_eq!(block_on(first).unwrap(), [round], "{name}");
                assert_eq!(block_on(second).unwrap(), [100 + round], "{name}");
                first = ctx.read(1, &reader, NO_OFFSET);
                drop(park(&mut first));
            }
        }
    }
}

/// A pipe with a name knows no call that does not wait: it is read and written like one without.
#[test]
fn a_pipe_with_a_name() {
    for (name, builder) in both() {
        let ctx = builder.pool_size(1).build().unwrap();
        let (reader, writer) = fifo();
        let writer: SharedFd = writer.into();
        let (mut dropped, other) = (ctx.read(8, &reader, NO_OFFSET), file());
        drop(park(&mut dropped));
        drop(dropped);
        block_on(ctx.fsync(&other)).unwrap();
        let (written, _) = block_on(ctx.write(vec![5; 60_000], &writer, NO_OFFSET));
        assert_eq!(written.unwrap(), 60_000, "{name}: it has room for that");
        let mut full = ctx.write(vec![6; 10_000], &writer, NO_OFFSET);
        drop(block_on(ctx.write(vec![5; 5536], &writer, NO_OFFSET)));
        drop(park(&mut full));
        let mut read = Vec::new();
        while read.len() < 65_536 {
            read.extend(block_on(ctx.read(10_000, &reader, NO_OFFSET)).unwrap());
        }
        let (written, _) = block_on(full);
        assert!((4096..=10_000).contains(&written.unwrap()), "{name}");
        drop(writer);
        let mut rest = Vec::new();
        rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::NONBLOCK).unwrap();
        reader.file().read_to_end(&mut rest).unwrap();
        assert!(rest.iter().all(|byte| *byte == 6));
    }
}

/// What somebody else took is waited for once more: nobody sees `EAGAIN`, and no worker is stuck.
#[test]
fn stolen_data_is_waited_for_again() {
    for (name, builder) in both() {
        let ctx = builder.pool_size(1).build().unwrap();
        let (reader, mut writer) = fifo();
        rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::NONBLOCK).unwrap();
        let mut thief = reader.file().try_clone().unwrap();
        for round in 0..200_u8 {
            let read = ctx.read(1, &reader, NO_OFFSET).submit();
            writer.write_all(&[0]).unwrap();
            let stolen = thief.read(&mut [0]).is_ok();
            if stolen {
                writer.write_all(&[1]).unwrap();
            }
            assert_eq!(block_on(read).unwrap(), [u8::from(stolen)], "{name} {round}");
        }
    }
}

/// Waiting for a file that has an error to tell for ever, or of which too many are open, takes no
/// time.
#[test]
fn waiting_never_spins() {
    alone("waiting::waiting_never_spins", || {
        for (name, builder) in both() {
            let ctx = builder.build().unwrap();
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            queue_errors(&socket);
            let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(nobody.local_addr().unwrap()).unwrap();
            drop(nobody);
            socket.send(b"nobody").unwrap();
            let fd: SharedFd = OwnedFd::from(socket).into();
            let told = block_on(ctx.read(8, &fd, NO_OFFSET)).unwrap_err();
            assert_eq!(told.kind(), ErrorKind::ConnectionRefused, "{name}");
            let mut read = ctx.read(8, &fd, NO_OFFSET);
            drop(park(&mut read));
            spins_not(name, || std::thread::sleep(Duration::from_millis(500)));
            assert!(matches!(block_on(read.cancel()), Outcome::Cancelled(_)), "{name}");
        }
    });
}

/// Lowering the number of files that may be open ends no wait, and makes none spin.
#[test]
fn a_lowered_limit_of_descriptors() {
    alone("waiting::a_lowered_limit_of_descriptors", || {
        for (name, builder) in both() {
            let ctx = builder.build().unwrap();
            let pipes: Vec<_> = (0..8).map(|_| pipe()).collect();
            let mut reads: Vec<_> = pipes.iter().map(|(reader, _)| ctx.read(8, reader, NO_OFFSET)).collect();
            reads.iter_mut().for_each(|read| drop(park(read)));
            let before = limit(Resource::Descriptors, 4);
            spins_not(name, || std::thread::sleep(Duration::from_millis(500)));
            pipes.iter().for_each(|(_, writer)| assert_eq!({ writer }.write(b"data").unwrap(), 4));
            for read in block_on(join_all(reads)) {
                assert_eq!(read.unwrap(), b"data", "{name}");
            }
            limit(Resource::Descriptors, before);
        }
    });
}

/// Reads that timed out leave no thread, and nobody's data is lost.
#[test]
fn timed_out_reads_leave_nothing() {
    alone("waiting::timed_out_reads_leave_nothing", || {
        for (name, builder) in both() {
            let ctx = builder.max_requests(4).build().unwrap();
            let mut pipes: Vec<_> = (0..200).map(|_| pipe()).collect();
            for (reader, _) in &pipes {
                let read = ctx.read_into(vec![0; 64], reader, NO_OFFSET).timeout(Duration::from_millis(1));
                assert_eq!(block_on(read).0.unwrap_err().kind(), ErrorKind::TimedOut, "{name}");
            }
            assert!(threads().len() <= 3, "{name}: {:?}", threads());
            for (reader, writer) in &mut pipes {
                writer.write_all(b"line").unwrap();
                let mut line = [0; 4];
                reader.file().read_exact(&mut line).unwrap();
                assert_eq!(&line, b"line", "{name}: std reads what a timed-out read has left");
            }
            drop(ctx);
            until("all threads have ended", || threads().is_empty());
        }
    });
}

/// Two contexts on one pipe neither lose nor repeat a byte, whatever times out.
#[test]
fn two_contexts_lose_nothing() {
    for (name, builder) in both() {
        let contexts = [builder.clone().build().unwrap(), builder.build().unwrap()];
        let (reader, mut writer) = pipe();
        let mut seen = Vec::new();
        for round in 0..200_u8 {
            let reads = contexts.each_ref().map(|ctx| {
                ctx.read_into(vec![0; 1], &reader, NO_OFFSET)
                    .timeout(Duration::from_millis(u64::from(round % 3)))
                    .submit()
            });
            if round % 2 == 0 {
                writer.write_all(&[round]).unwrap();
            }
            for read in reads {
                let (read, buf) = block_on(read);
                seen.extend(read.is_ok().then(|| buf[0]));
            }
        }
        drop(writer);
        let mut rest = Vec::new();
        reader.file().read_to_end(&mut rest).unwrap();
        seen.extend(rest);
        assert_eq!(seen, (0..200).step_by(2).collect::<Vec<u8>>(), "{name}");
    }
}

/// A transfer of nothing has an answer, whatever waits.
#[test]
fn a_transfer_of_nothing_never_waits() {
    for (name, builder) in both() {
        let ctx = builder.build().unwrap();
        let (reader, writer) = pipe();
        let writer: SharedFd = writer.into();
        let event: SharedFd = rustix::event::eventfd(0, rustix::event::EventfdFlags::empty()).unwrap().into();
        let mut waiting = ctx.read(8, &reader, NO_OFFSET);
        drop(park(&mut waiting));
        assert_eq!(block_on(ctx.read(0, &reader, NO_OFFSET)).unwrap(), b"", "{name}");
        assert!(matches!(block_on(waiting.cancel()), Outcome::Cancelled(_)));
        assert_eq!(block_on(ctx.read(0, &event, NO_OFFSET)).unwrap(), b"", "{name}");
        for (what, fd) in devices() {
            assert_eq!(block_on(ctx.readv(vec![vec![0_u8; 0]; 2], &fd, NO_OFFSET)).0.unwrap(), 0, "{name} {what}");
        }
        let mut full = loop {
            let mut write = ctx.write(vec![1; 4096], &writer, NO_OFFSET).submit();
            if futures::FutureExt::now_or_never(&mut write).is_none() && until_parked(&mut write) {
                break write;
            }
        };
        assert_eq!(block_on(ctx.write(b"", &writer, NO_OFFSET)).0.unwrap(), 0, "{name}");
        assert_eq!(block_on(ctx.writev(Vec::<Vec<u8>>::new(), &writer, NO_OFFSET)).0.unwrap(), 0, "{name}");
        drop(park(&mut full));
        let write_only = block_on(ctx.read(0, &writer, NO_OFFSET)).unwrap_err();
        assert_eq!(write_only.raw_os_error(), Some(libc::EBADF), "{name}");
    }
}

/// Whether an operation has not ended after a while.
fn until_parked<P: caio_core::Payload + Unpin>(operation: &mut Operation<P>) -> bool {
    std::thread::sleep(Duration::from_millis(50));
    futures::FutureExt::now_or_never(operation).is_none()
}

/// What has room for it takes 60,000 bytes, also where the kernel knows no call that does not wait.
#[test]
fn only_what_would_wait_is_cut() {
    alone("waiting::only_what_would_wait_is_cut", || {
        use caio_conformance::kit::seccomp::{Refused, refuse_or_skip};
        let write_all = |kernel: &str| {
            for (name, builder) in both() {
                let ctx = builder.build().unwrap();
                let (_reader, writer) = pipe();
                let null: SharedFd = std::fs::File::options().write(true).open("/dev/null").unwrap().into();
                for (what, fd) in [("pipe", SharedFd::from(writer)), ("null", null)] {
                    let (written, _) = block_on(ctx.write(vec![1; 60_000], &fd, NO_OFFSET));
                    assert_eq!(written.unwrap(), 60_000, "{kernel} {name} {what}");
                    drop(block_on(ctx.writev(vec![vec![1_u8; 5536]], &fd, NO_OFFSET)));
                }
            }
        };
        write_all("new");
        if refuse_or_skip(&[
            Refused::always(libc::SYS_pwritev2, libc::ENOSYS),
            Refused::always(libc::SYS_preadv2, libc::EOPNOTSUPP),
        ]) {
            write_all("old");
        }
    });
}

/// A poll copies no more than 64 KiB, and holds no lock meanwhile.
#[test]
fn a_long_read_of_a_device_is_made_by_a_worker() {
    for (name, builder) in both() {
        let ctx = builder.build().unwrap();
        let random: SharedFd = std::fs::File::open("/dev/urandom").unwrap().into();
        let (reader, _writer) = pipe();
        let mut waiting = ctx.read(8, &reader, NO_OFFSET);
        drop(park(&mut waiting));
        let mut read = ctx.read_into(vec![0; 64 << 20], &random, NO_OFFSET);
        let before = cpu_time();
        assert!(futures::FutureExt::now_or_never(&mut read).is_none(), "{name}");
        let polled = cpu_time() - before;
        let started = Instant::now();
        assert!(matches!(block_on(waiting.cancel()), Outcome::Cancelled(_)));
        let cancelled = started.elapsed();
        let (read, _) = block_on(read);
        assert!(polled < Duration::from_millis(20), "{name}: the poll took {polled:?}");
        assert!(cancelled < Duration::from_millis(200), "{name}: the cancel took {cancelled:?}");
        assert_eq!(read.unwrap(), 64 << 20, "{name}");
    }
}

/// A limit of one call is applied to the sum.
#[test]
fn a_sum_beyond_the_limit_of_a_call() {
    for (name, builder) in both() {
        let ctx = builder.pool_size(1).build().unwrap();
        let null: SharedFd = std::fs::File::options().write(true).open("/dev/null").unwrap().into();
        let bufs: Vec<Vec<u8>> = (0..3).map(|_| vec![0; 1 << 30]).collect();
        let (written, bufs) = block_on(ctx.writev(bufs, &null, NO_OFFSET));
        assert!((1..=caio_core::MAX_TRANSFER).contains(&written.unwrap()), "{name}");
        drop(bufs);
        assert_eq!(block_on(ctx.write(b"later", &null, NO_OFFSET)).0.unwrap(), 5, "{name}");
    }
}

/// A record for a device is neither cut nor waits for room that the device never says it has.
#[test]
fn a_record_for_a_device_goes_whole() {
    for (name, builder) in both() {
        let ctx = builder.build().unwrap();
        let null: SharedFd = std::fs::File::options().write(true).open("/dev/null").unwrap().into();
        assert_eq!(block_on(ctx.write(vec![1; 100_000], &null, NO_OFFSET)).0.unwrap(), 100_000, "{name}");
        let Ok(kmsg) = std::fs::File::options().write(true).open("/dev/kmsg") else {
            println!("SKIP: the kernel's log cannot be written");
            continue;
        };
        let kmsg: SharedFd = kmsg.into();
        let writes = (0..3).map(|_| ctx.write(b"<7>a test of caio", &kmsg, NO_OFFSET).timeout(Duration::from_secs(5)));
        for (written, _) in block_on(join_all(writes)) {
            assert_eq!(written.unwrap(), 17, "{name}");
        }
    }
}

/// Threads take no signal that the process has for others.
#[test]
fn threads_block_signals() {
    alone("waiting::threads_block_signals", || {
        for (name, builder) in both() {
            let ctx = builder.build().unwrap();
            let (reader, _writer) = pipe();
            let mut read = ctx.read(8, &reader, NO_OFFSET);
            drop(park(&mut read));
            block_on(ctx.fsync(&file())).unwrap();
            until("a worker and an event loop are there", || threads().len() >= 2);
            for task in std::fs::read_dir("/proc/self/task").unwrap() {
                // One of the context before may have ended.
                let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap_or_default();
                if status.starts_with("Name:\tcaio-") {
                    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap().trim();
                    let blocked = u64::from_str_radix(blocked, 16).unwrap();
                    for signal in [libc::SIGUSR1, libc::SIGTERM, libc::SIGINT, libc::SIGCHLD] {
                        assert!(blocked & 1 << (signal - 1) != 0, "{name} {status}");
                    }
                }
            }
        }
    });
}
