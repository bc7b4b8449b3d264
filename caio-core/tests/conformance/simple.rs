//! The simplest backend: a thread an operation.

use crate::streams;
use caio_conformance::{Subject, kit};
use caio_core::{
    AlignedBuf, Backend, BackendKind, Completer, Context, FileKind, Finished, Key, NO_OFFSET, Opened, Request,
    Settings, SharedFd, Submitted, View,
};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Runs each operation in a thread of its own; core's bound keeps them few.
struct Simple {
    /// The way back.
    completer: Completer,
    /// Whether the context is gone.
    stopped: Arc<AtomicBool>,
}

/// It, as a backend under test.
pub(crate) fn subject() -> Subject {
    Subject::new("simple", |settings| Ok((open(settings)?, None))).only(is_asked)
}

/// Whether it is simple enough. Its threads all wait for a stream until a poll says that it is ready, in no order; and what runs
/// keeps its thread, however many there are.
fn is_asked(case: &str) -> bool {
    const BEYOND: [&str; 8] = [
        "order::",
        "polls::",
        "position::poll",
        "records::null_device",
        "refused::",
        "guest::",
        "sockets::",
        "times::each_its_own",
    ];
    !BEYOND.iter().any(|beyond| case.starts_with(beyond))
}

/// Opens it.
fn open(settings: &Settings) -> io::Result<Context> {
    let open = |settings: &Settings, completer| {
        let backend = Arc::new(Simple { completer, stopped: Arc::default() });
        Ok(Opened { backend, kind: BackendKind::Thread, max_requests: settings.max_requests, driver: None })
    };
    Ok(Context::open(settings, BackendKind::Thread, open)?.0)
}

// SAFETY: each request is carried out by its thread, and delivered at its end to the completer of this backend.
unsafe impl Backend for Simple {
    fn submit(&self, request: Request) -> Result<Submitted, Finished> {
        let (completer, stopped) = (self.completer.clone(), Arc::clone(&self.stopped));
        // A thread that cannot be started drops the request's only owner, which is taken back from here.
        let shared = Arc::new(std::sync::Mutex::new(Some(request)));
        let taken = Arc::clone(&shared);
        let body = move || {
            let request = taken.lock().ok().and_then(|mut request| request.take());
            if let Some(request) = request {
                let finished = carry_out(request, &completer, &stopped);
                completer.deliver(finished);
            }
        };
        match thread::Builder::new().name("simple".to_owned()).spawn(body) {
            Ok(_) => Ok(Submitted::Alone),
            Err(error) => match shared.lock().ok().and_then(|mut request| request.take()) {
                Some(request) => Err(request.fail(error)),
                None => Ok(Submitted::Alone),
            },
        }
    }

    fn cancel(&self, _key: Key) {}

    fn shutdown(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Carries an operation out, unless it is cancelled while its file is not ready for it.
fn carry_out(mut request: Request, completer: &Completer, stopped: &AtomicBool) -> Finished {
    let (fd, key) = (request.fd().clone(), request.key());
    if fd.is_stream() && !request.op().is_sync() {
        let give_up = || stopped.load(Ordering::Relaxed) || completer.is_cancel_asked(key);
        let (read, bytes) = (request.op().is_read(), request.op().bytes());
        if bytes == 0 {
            return request.finish(Ok(0));
        }
        let is_pipe = fd.kind() == FileKind::Pipe; // what else waits takes records
        let once = |most| transfer(&mut request, &fd, if is_pipe { most } else { usize::MAX });
        return match streams::when_ready(&fd, read, give_up, once) {
            Some(result) => request.finish(result),
            None => request.cancelled(),
        };
    }
    let result = transfer(&mut request, &fd, usize::MAX);
    request.finish(result)
}

/// One transfer, of so many bytes at most.
fn transfer(request: &mut Request, fd: &SharedFd, most: usize) -> io::Result<usize> {
    let file = fd.file();
    match request.view() {
        View::Read(buf, offset) => read(file, buf, offset),
        View::Write(buf, offset) => write(file, &buf[..buf.len().min(most)], offset),
        View::Readv(mut bufs, offset) => readv(file, &mut bufs, offset),
        View::Writev(bufs, offset) => writev(file, &bufs, offset, most),
        View::Fsync => file.sync_all().map(|()| 0),
        View::Fdatasync => file.sync_data().map(|()| 0),
    }
}

/// Reads at an offset, or from the position.
fn read(mut file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    if offset == NO_OFFSET { file.read(buf) } else { kit::read_at(file, buf, offset) }
}

/// Writes at an offset, or from the position.
fn write(mut file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    if offset == NO_OFFSET { file.write(buf) } else { kit::write_at(file, buf, offset) }
}

/// What `O_DIRECT` asks of memory, everywhere.
const ALIGNMENT: usize = 4096;

/// Reads all at once, and hands the bytes out to the buffers in turn.
fn readv(mut file: &File, bufs: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
    if offset == NO_OFFSET {
        return file.read_vectored(bufs);
    }
    let mut all = AlignedBuf::zeroed(bufs.iter().map(|buf| buf.len()).sum(), ALIGNMENT);
    let bytes = kit::read_at(file, &mut all, offset)?;
    let mut rest = &all[..bytes];
    for buf in bufs {
        let (now, later) = rest.split_at(buf.len().min(rest.len()));
        buf[..now.len()].copy_from_slice(now);
        rest = later;
    }
    Ok(bytes)
}

/// Writes them as one.
fn writev(mut file: &File, bufs: &[IoSlice<'_>], offset: u64, most: usize) -> io::Result<usize> {
    let mut all = AlignedBuf::new(bufs.iter().map(|buf| buf.len()).sum(), ALIGNMENT);
    bufs.iter().for_each(|buf| all.extend_from_slice(buf));
    let part = &all[..all.len().min(most)];
    if offset == NO_OFFSET { file.write(part) } else { kit::write_at(file, part, offset) }
}
