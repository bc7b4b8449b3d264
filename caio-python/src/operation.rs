//! An operation as Python asks for it, its future on the engine, and its result.

use crate::buffer::{Lent, NewBytes, Source};
use crate::errors;
use crate::file::{borrowed, with_known, with_unknown};
use caio::{AlignedBuf, Cancel, Context, IoPriority, Operation, Outcome};
use caio_core::{Fsync, Payload, ReadInto, Readv, Write, Writev};
use pyo3::prelude::*;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Work {
    /// Read so many bytes.
    Read(usize),
    /// Read into memory that was set aside before.
    ReadNew(NewBytes),
    /// Read into an object's memory.
    ReadInto(Lent),
    /// Read into the memory of several objects in turn.
    Readv(Vec<Lent>),
    /// Write an object's bytes.
    Write(Source),
    /// Write the bytes of several objects in turn.
    Writev(Vec<Source>),
    /// Bring data and metadata to the disk.
    Fsync,
    /// Bring data to the disk.
    Fdsync,
}

/// An operation that has not started.
#[derive(Debug)]
pub(crate) struct Job {
    /// What is to be done.
    pub(crate) work: Work,
    /// The number of its file.
    pub(crate) fd: i32,
    /// Where in the file.
    pub(crate) offset: u64,
    /// How urgent it is.
    pub(crate) priority: Option<IoPriority>,
    /// How long it may take.
    pub(crate) timeout: Option<Duration>,
}

/// What an operation has given.
#[derive(Debug)]
pub(crate) enum Value {
    /// What was read.
    Read(NewBytes),
    /// How many bytes were transferred.
    Count(usize),
    /// A sync gives nothing.
    Nothing,
}

impl Value {
    /// As an object.
    pub(crate) fn into_object(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Self::Read(bytes) => Ok(bytes.finish(py).into_any()),
            Self::Count(count) => Ok(count.into_pyobject(py)?.into_any().unbind()),
            Self::Nothing => Ok(py.None()),
        }
    }

    /// How many bytes were transferred.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Read(bytes) => bytes.read().len(),
            Self::Count(count) => *count,
            Self::Nothing => 0,
        }
    }
}

/// What is left when an operation has ended: its result, and what a write has written.
pub(crate) type Ended = (io::Result<Value>, Option<Source>);

/// The future of one kind of operation.
#[derive(Debug)]
enum Flight<P: Payload> {
    /// It runs.
    Running(Operation<P>),
    /// It was asked to end early.
    Cancelling(Cancel<P>),
    /// Between the two, or its result was given.
    Over,
}

impl<P: Payload> Flight<P> {
    /// Looks for the end. `split` takes the output apart.
    fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        split: impl FnOnce(P::Output) -> (io::Result<usize>, Option<P::Buffer>),
    ) -> Poll<(io::Result<usize>, Option<P::Buffer>)> {
        match self {
            Self::Running(operation) => Pin::new(operation).poll(cx).map(split),
            Self::Cancelling(cancel) => Pin::new(cancel).poll(cx).map(|outcome| match outcome {
                Outcome::Cancelled(buf) => (Err(errors::cancelled()), Some(buf)),
                Outcome::Completed(result, buf) => (result, Some(buf)),
            }),
            Self::Over => Poll::Ready((Err(io::Error::other("the operation is over")), None)),
        }
    }

    /// Asks it to end early, at the next poll.
    fn cancel(&mut self) {
        *self = match std::mem::replace(self, Self::Over) {
            Self::Running(operation) => Self::Cancelling(operation.cancel()),
            other => other,
        };
    }
}

/// A read through aligned memory.
#[derive(Debug)]
enum Into {
    /// To a new object.
    New(NewBytes),
    /// To an object's memory.
    Lent(Lent),
}

/// The future of any kind of operation.
#[derive(Debug)]
enum Kind {
    /// A read.
    Read(Flight<ReadInto<NewBytes>>),
    /// A read into an object's memory.
    ReadInto(Flight<ReadInto<Lent>>),
    /// A read into several.
    Readv(Flight<Readv<Lent>>),
    /// A read through aligned memory.
    Aligned(Flight<ReadInto<AlignedBuf>>, Option<Into>),
    /// A write.
    Write(Flight<Write<Source>>),
    /// A write through aligned memory.
    AlignedWrite(Flight<Write<AlignedBuf>>, Option<Source>),
    /// A write of several.
    Writev(Flight<Writev<Source>>),
    /// A sync.
    Sync(Flight<Fsync>),
}

/// What there is to do for an operation that `O_DIRECT` has refused.
enum Again {
    /// Nothing.
    No(Ended),
    /// Do it through aligned memory.
    With(Kind),
}

/// A started operation.
#[derive(Debug)]
pub(crate) struct Running {
    /// Its future.
    kind: Kind,
    /// The number of its file.
    fd: i32,
    /// Where in the file.
    offset: u64,
    /// How urgent it is.
    priority: Option<IoPriority>,
    /// How long it may take.
    timeout: Option<Duration>,
}

impl Running {
    /// Makes the future, which starts at its first poll.
    pub(crate) fn new(py: Python<'_>, ctx: &Context, job: Job) -> PyResult<Self> {
        let Job { work, fd, offset, priority, timeout } = job;
        let with = With { priority, timeout };
        let kind = match work {
            Work::Read(len) => {
                let bytes = NewBytes::new(py, len)?;
                with_unknown(fd, |file| Kind::Read(with.of(ctx.read_into(bytes, file, offset))))
            }
            Work::ReadNew(bytes) => with_unknown(fd, |file| Kind::Read(with.of(ctx.read_into(bytes, file, offset)))),
            Work::ReadInto(lent) => with_unknown(fd, |file| Kind::ReadInto(with.of(ctx.read_into(lent, file, offset)))),
            Work::Readv(lent) => with_unknown(fd, |file| Kind::Readv(with.of(ctx.readv(lent, file, offset)))),
            Work::Write(source) => with_known(fd, |file| Kind::Write(with.of(ctx.write(source, file, offset)))),
            Work::Writev(sources) => with_known(fd, |file| Kind::Writev(with.of(ctx.writev(sources, file, offset)))),
            Work::Fsync => with_unknown(fd, |file| Kind::Sync(with.of(ctx.fsync(file)))),
            Work::Fdsync => with_unknown(fd, |file| Kind::Sync(with.of(ctx.fdsync(file)))),
        };
        Ok(Self { kind, fd, offset, priority, timeout })
    }

    /// Starts the operation, or looks for its end.
    pub(crate) fn poll(&mut self, py: Python<'_>, ctx: Option<&Context>, cx: &mut TaskContext<'_>) -> Poll<Ended> {
        loop {
            let ended = match self.kind.poll(py, cx) {
                Poll::Ready(ended) => ended,
                Poll::Pending => return Poll::Pending,
            };
            let Some(ctx) = ctx else {
                return Poll::Ready(ended.into_ended(py));
            };
            match self.again(py, ctx, ended) {
                Again::No(ended) => return Poll::Ready(ended),
                Again::With(kind) => self.kind = kind,
            }
        }
    }

    /// Asks it to end early.
    pub(crate) fn cancel(&mut self) {
        match &mut self.kind {
            Kind::Read(flight) => flight.cancel(),
            Kind::ReadInto(flight) => flight.cancel(),
            Kind::Readv(flight) => flight.cancel(),
            Kind::Aligned(flight, _) => flight.cancel(),
            Kind::Write(flight) => flight.cancel(),
            Kind::AlignedWrite(flight, _) => flight.cancel(),
            Kind::Writev(flight) => flight.cancel(),
            Kind::Sync(flight) => flight.cancel(),
        }
    }

    /// Whether a close may end it early: a read, or what may wait for ever. A write to a disk and a sync end by themselves.
    pub(crate) fn may_be_cut(&self) -> bool {
        match self.kind {
            Kind::Read(_) | Kind::ReadInto(_) | Kind::Readv(_) | Kind::Aligned(..) => true,
            Kind::Write(_) | Kind::AlignedWrite(..) | Kind::Writev(_) | Kind::Sync(_) => borrowed(self.fd).is_stream(),
        }
    }

    /// Where `O_DIRECT` refuses the memory of Python's objects, the transfer goes through memory that it takes.
    fn again(&self, py: Python<'_>, ctx: &Context, ended: Polled) -> Again {
        const ALIGNMENT: usize = 4096;
        let is_refused = ended.is_refused();
        if !is_refused || !borrowed(self.fd).is_direct() {
            return Again::No(ended.into_ended(py));
        }
        let with = With { priority: self.priority, timeout: self.timeout };
        let file = borrowed(self.fd);
        let alignment = file.direct_alignment().map_or(ALIGNMENT, |(memory, _)| (memory as usize).next_power_of_two());
        let into = match ended {
            Polled::Read(_, Some(bytes)) => Into::New(bytes),
            Polled::ReadInto(_, Some(lent)) => Into::Lent(lent),
            Polled::Write(_, Some(source)) => {
                let Ok(mut buf) = aligned(caio::IoBuf::bytes_init(&source), alignment) else {
                    return Again::No((Err(io::ErrorKind::OutOfMemory.into()), Some(source)));
                };
                source.copy_to(&mut buf);
                let flight = with.of(ctx.write(buf, &file, self.offset));
                return Again::With(Kind::AlignedWrite(flight, Some(source)));
            }
            other => return Again::No(other.into_ended(py)),
        };
        let room = match &into {
            Into::New(bytes) => caio::IoBufMut::bytes_total(bytes),
            Into::Lent(lent) => caio::IoBufMut::bytes_total(lent),
        };
        match aligned(room, alignment) {
            Ok(buf) => Again::With(Kind::Aligned(with.of(ctx.read_into(buf, &file, self.offset)), Some(into))),
            Err(error) => Again::No((Err(error), None)),
        }
    }
}

/// Memory at an aligned address. The allocator is asked beforehand, because `AlignedBuf` aborts without memory.
fn aligned(bytes: usize, alignment: usize) -> io::Result<AlignedBuf> {
    Vec::<u8>::new().try_reserve_exact(bytes.saturating_add(alignment)).map_err(|_| io::ErrorKind::OutOfMemory)?;
    Ok(AlignedBuf::new(bytes, alignment))
}

/// How an operation is to be carried out.
#[derive(Clone, Copy)]
struct With {
    /// How urgent it is.
    priority: Option<IoPriority>,
    /// How long it may take.
    timeout: Option<Duration>,
}

impl With {
    /// Says so to the engine.
    fn of<P: Payload>(self, mut operation: Operation<P>) -> Flight<P> {
        if let Some(priority) = self.priority {
            operation = operation.priority(priority);
        }
        if let Some(timeout) = self.timeout {
            operation = operation.timeout(timeout);
        }
        Flight::Running(operation)
    }
}

/// The end of a future, with what it owned.
enum Polled {
    /// A read's.
    Read(io::Result<usize>, Option<NewBytes>),
    /// That of a read into an object.
    ReadInto(io::Result<usize>, Option<Lent>),
    /// A write's.
    Write(io::Result<usize>, Option<Source>),
    /// Any other.
    Other(io::Result<Value>),
}

impl Polled {
    /// Whether the file refuses the operation.
    fn is_refused(&self) -> bool {
        let (Self::Read(Err(error), _) | Self::ReadInto(Err(error), _) | Self::Write(Err(error), _)) = self else {
            return false;
        };
        error.kind() == io::ErrorKind::InvalidInput
    }

    /// The result.
    fn into_ended(self, py: Python<'_>) -> Ended {
        match self {
            Self::Read(Ok(_), Some(bytes)) => (Ok(Value::Read(bytes)), None),
            Self::Read(Ok(_), None) => (Ok(Value::Nothing), None),
            Self::ReadInto(result, lent) => {
                lent.into_iter().for_each(|lent| lent.end(py));
                (result.map(Value::Count), None)
            }
            Self::Write(result, source) => (result.map(Value::Count), source),
            Self::Read(Err(error), _) => (Err(error), None),
            Self::Other(result) => (result, None),
        }
    }
}

impl Kind {
    /// Looks for the end.
    fn poll(&mut self, py: Python<'_>, cx: &mut TaskContext<'_>) -> Poll<Polled> {
        fn both<B>((result, buf): (io::Result<usize>, B)) -> (io::Result<usize>, Option<B>) {
            (result, Some(buf))
        }
        match self {
            Self::Read(flight) => flight.poll(cx, both).map(|(result, buf)| Polled::Read(result, buf)),
            Self::ReadInto(flight) => flight.poll(cx, both).map(|(result, buf)| Polled::ReadInto(result, buf)),
            Self::Write(flight) => flight.poll(cx, both).map(|(result, buf)| Polled::Write(result, buf)),
            Self::Readv(flight) => flight.poll(cx, both).map(|(result, bufs)| {
                bufs.into_iter().flatten().for_each(|lent| lent.end(py));
                Polled::Other(result.map(Value::Count))
            }),
            Self::Writev(flight) => flight.poll(cx, both).map(|(result, bufs)| {
                bufs.into_iter().flatten().for_each(|source| source.end(py));
                Polled::Other(result.map(Value::Count))
            }),
            Self::Sync(flight) => {
                let split = |result: io::Result<()>| (result.map(|()| 0), None);
                flight.poll(cx, split).map(|(result, _)| Polled::Other(result.map(|_| Value::Nothing)))
            }
            Self::Aligned(flight, into) => {
                flight.poll(cx, both).map(|(result, buf)| copied(py, result, buf, into.take()))
            }
            Self::AlignedWrite(flight, source) => {
                flight.poll(cx, both).map(|(result, _)| Polled::Write(result, source.take()))
            }
        }
    }
}

/// What was read into aligned memory, where it belongs.
fn copied(py: Python<'_>, result: io::Result<usize>, buf: Option<AlignedBuf>, into: Option<Into>) -> Polled {
    let read = match (result, buf) {
        (Ok(_), Some(buf)) => buf,
        (Ok(_), None) => return Polled::Other(Ok(Value::Nothing)),
        (Err(error), _) => return Polled::Other(Err(error)),
    };
    match into {
        Some(Into::New(mut bytes)) => {
            bytes.fill(&read);
            Polled::Other(Ok(Value::Read(bytes)))
        }
        Some(Into::Lent(mut lent)) => {
            lent.fill(&read);
            lent.end(py);
            Polled::Other(Ok(Value::Count(read.len())))
        }
        None => Polled::Other(Ok(Value::Count(read.len()))),
    }
}
