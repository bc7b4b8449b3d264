//! How a backend tells what became of its operations.

use crate::backend::Backend;
use crate::key::Key;
use crate::request::{Finished, Request};
use crate::shared::Shared;
use std::io;
use std::sync::{Arc, Weak};

/// How an operation ended.
///
/// ```
/// use caio_core::Completion;
/// /// What a negated error number or a count of bytes means, as kernels give it.
/// fn completion(result: i32, cancel_asked: bool) -> Completion {
///     const ECANCELED: i32 = 125;
///     match usize::try_from(result) {
///         Ok(bytes) => Completion::Done(Ok(bytes)),
///         Err(_) if result == -ECANCELED && cancel_asked => Completion::Cancelled,
///         Err(_) => Completion::Done(Err(std::io::Error::from_raw_os_error(-result))),
///     }
/// }
/// ```
#[derive(Debug)]
pub enum Completion {
    /// It was carried out, or failed: the bytes transferred (0 of a sync), or the error.
    Done(io::Result<usize>),
    /// It was cancelled, as its caller had asked; nothing was transferred.
    Cancelled,
}

/// A backend's way back to the table: it delivers completions.
///
/// ```
/// use caio_core::{Completer, Request};
/// use std::sync::mpsc::Receiver;
/// /// A worker's thread: it owns a clone of the completer.
/// fn work(requests: Receiver<Request>, completer: Completer, perform: fn(&mut Request) -> std::io::Result<usize>) {
///     for mut request in requests {
///         let result = perform(&mut request);
///         completer.deliver(request.finish(result));
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Completer(pub(crate) Arc<Shared>);

impl Completer {
    /// Delivers a request that has ended: its future is woken, and an operation that waited for room is submitted, and flushed.
    /// Call it without holding a lock.
    ///
    /// ```
    /// use caio_core::{Backend, Completer, Request};
    /// use std::sync::Mutex;
    /// /// Gives back what a backend has queued, and does so without its queue's lock.
    /// fn give_back(backend: &dyn Backend, queue: &Mutex<Vec<Request>>, completer: &Completer) {
    ///     let requests = std::mem::take(&mut *queue.lock().unwrap());
    ///     for request in requests {
    ///         completer.deliver(request.cancelled());
    ///     }
    ///     backend.flush(); // others may have got their room
    /// }
    /// ```
    pub fn deliver(&self, finished: Finished) {
        // A pool that a backend has borrowed calls this, and cannot flush the backend itself.
        if self.0.complete(finished.key, finished.completion) {
            self.0.flush();
        }
    }

    /// Delivers what a kernel carried by its key, as [`deliver`](Self::deliver), but for the flush, which the caller does after one
    /// or more of them. A stale key is ignored.
    ///
    /// # Safety
    /// The kernel has let go of the operation's memory. If the completion is `Done(Ok(n))` of a read, `n` bytes of its
    /// memory are initialised.
    ///
    /// ```
    /// use caio_core::{Completer, Completion, Key};
    /// /// # Safety
    /// /// This is what the kernel says of an operation that was submitted with its key.
    /// unsafe fn on_completion(completer: &Completer, user_data: u64, result: i32) {
    ///     let result = usize::try_from(result).map_err(|_| std::io::Error::from_raw_os_error(-result));
    ///     // SAFETY: the kernel says that it is done with the operation, and how many bytes it has moved.
    ///     unsafe { completer.complete(Key::from_u64(user_data), Completion::Done(result)) }
    /// }
    /// ```
    pub unsafe fn complete(&self, key: Key, completion: Completion) {
        self.0.complete(key, completion);
    }

    /// Whether somebody asked for the operation to be cancelled, or its time is up: only then is an `ECANCELED` its result.
    ///
    /// ```
    /// use caio_core::{Completer, Finished, Request};
    /// /// Carries a request out, unless it was cancelled while it was queued.
    /// fn perform(mut request: Request, completer: &Completer) -> Finished {
    ///     if completer.is_cancel_asked(request.key()) {
    ///         return request.cancelled();
    ///     }
    ///     # fn transfer(_: &mut Request) -> std::io::Result<usize> { Ok(0) }
    ///     let result = transfer(&mut request);
    ///     request.finish(result)
    /// }
    /// ```
    #[must_use]
    pub fn is_cancel_asked(&self, key: Key) -> bool {
        self.0.table.is_cancel_asked(key)
    }

    /// The operation once more, to be submitted again: after `EAGAIN`, `EINTR` or an `ECANCELED` that nobody asked for.
    /// `None` if the key is stale.
    ///
    /// # Safety
    /// No other request of this key is alive, and the kernel has let go of the operation's memory.
    ///
    /// ```
    /// use caio_core::{Backend, Completer, Key};
    /// /// # Safety
    /// /// The kernel has refused the operation with `EAGAIN`.
    /// unsafe fn retry(backend: &dyn Backend, completer: &Completer, key: Key) {
    ///     // SAFETY: the kernel has refused it, and the request was used up when it was submitted.
    ///     if let Some(Err(finished)) = unsafe { completer.again(key) }.map(|request| backend.submit(request)) {
    ///         completer.deliver(finished);
    ///     }
    ///     backend.flush();
    /// }
    /// ```
    #[must_use]
    pub unsafe fn again(&self, key: Key) -> Option<Request> {
        self.0.table.again(key)
    }

    /// Counts an operation that the backend handed to another route than its own.
    ///
    /// ```
    /// use caio_core::{Backend, Completer, Finished, Request};
    /// /// Hands a sync, which this kernel cannot do asynchronously, to a pool of threads.
    /// fn sync(request: Request, pool: &dyn Backend, completer: &Completer) -> Result<(), Finished> {
    ///     completer.count_fallback();
    ///     pool.submit(request)
    /// }
    /// ```
    pub fn count_fallback(&self) {
        self.0.stats.fallback();
    }

    /// How many operations the backend has out.
    ///
    /// ```
    /// /// How many completions a driver may wait for, so that it does not wait for ever.
    /// fn attainable(completer: &caio_core::Completer, min: usize, max: usize) -> usize {
    ///     min.min(max).min(completer.in_flight())
    /// }
    /// ```
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.table.running()
    }

    /// How many operations wait for room.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.table.waiting()
    }

    /// Lists the keys of all operations that the backend has out, for example to cancel them at its shutdown. What the list held
    /// before is gone, its memory is used again.
    ///
    /// ```
    /// use caio_core::{Backend, Completer};
    /// /// The first step of a shutdown.
    /// fn cancel_all(backend: &dyn Backend, completer: &Completer) {
    ///     let mut keys = Vec::new();
    ///     completer.running_keys(&mut keys);
    ///     keys.into_iter().for_each(|key| backend.cancel(key));
    /// }
    /// ```
    pub fn running_keys(&self, keys: &mut Vec<Key>) {
        self.0.table.running_keys(keys);
    }

    /// Says which backend takes the operations that had to wait.
    pub(crate) fn attach(&self, backend: &Arc<dyn Backend>, max_requests: usize) {
        let weak: Weak<dyn Backend> = Arc::downgrade(backend);
        self.0.attach(weak, max_requests);
    }
}
