//! Kernel AIO: `io_setup`, `io_submit`, `io_getevents`, `io_cancel` and `io_destroy`.

use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::ptr;
use std::time::Duration;

use libc::{c_long, c_ulong};

use crate::retry::{retry, retry_timeout};

/// `IOCB_CMD_PREAD`: read into `aio_buf`, `aio_nbytes` bytes.
pub const IOCB_CMD_PREAD: u16 = 0;
/// `IOCB_CMD_PWRITE`: write from `aio_buf`, `aio_nbytes` bytes.
pub const IOCB_CMD_PWRITE: u16 = 1;
/// `IOCB_CMD_FSYNC`: `fsync(2)`. Linux 4.18.
pub const IOCB_CMD_FSYNC: u16 = 2;
/// `IOCB_CMD_FDSYNC`: `fdatasync(2)`. Linux 4.18.
pub const IOCB_CMD_FDSYNC: u16 = 3;
/// `IOCB_CMD_POLL`: wait once for the poll events in `aio_buf`. Linux 4.19.
pub const IOCB_CMD_POLL: u16 = 5;
/// `IOCB_CMD_PREADV`: read into the `aio_nbytes` iovecs at `aio_buf`.
pub const IOCB_CMD_PREADV: u16 = 7;
/// `IOCB_CMD_PWRITEV`: write from the `aio_nbytes` iovecs at `aio_buf`.
pub const IOCB_CMD_PWRITEV: u16 = 8;

/// `IOCB_FLAG_RESFD`: the completion also signals the eventfd in `aio_resfd`.
pub const IOCB_FLAG_RESFD: u32 = 1 << 0;
/// `IOCB_FLAG_IOPRIO`: `aio_reqprio` holds an I/O priority (see `ioprio_set(2)`). Linux 4.18.
pub const IOCB_FLAG_IOPRIO: u32 = 1 << 1;

/// `struct iocb` of `<linux/aio_abi.h>`: one request.
///
/// See `io_submit(2)`. Everything that a request does not use stays zero.
///
/// ```
/// use caio_sys::aio::{IOCB_CMD_FDSYNC, iocb};
///
/// let request = iocb {
///     aio_data: 42,
///     aio_lio_opcode: IOCB_CMD_FDSYNC,
///     aio_fildes: 3,
///     ..iocb::default()
/// };
/// assert_eq!(request.aio_rw_flags, 0);
/// ```
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct iocb {
    /// Handed back in [`io_event::data`].
    pub aio_data: u64,
    /// Written by `io_submit`, checked by `io_cancel`.
    #[cfg(target_endian = "little")]
    pub aio_key: u32,
    /// `RWF_*` flags of `preadv2(2)`. Linux 4.13.
    pub aio_rw_flags: i32,
    /// Written by `io_submit`, checked by `io_cancel`.
    #[cfg(target_endian = "big")]
    pub aio_key: u32,
    /// One of the `IOCB_CMD_*` constants.
    pub aio_lio_opcode: u16,
    /// The I/O priority, if `IOCB_FLAG_IOPRIO` is set.
    pub aio_reqprio: i16,
    /// The descriptor to work on.
    pub aio_fildes: u32,
    /// The address of the buffer or of the iovecs; the events of `IOCB_CMD_POLL`.
    pub aio_buf: u64,
    /// The buffer's length in bytes, or the number of iovecs.
    pub aio_nbytes: u64,
    /// The position in the file.
    pub aio_offset: i64,
    /// Must be zero.
    pub aio_reserved2: u64,
    /// `IOCB_FLAG_*` flags.
    pub aio_flags: u32,
    /// The eventfd to signal, if `IOCB_FLAG_RESFD` is set.
    pub aio_resfd: u32,
}

/// `struct io_event` of `<linux/aio_abi.h>`: one completion.
///
/// See `io_getevents(2)`.
///
/// ```
/// use caio_sys::aio::io_event;
///
/// let event = io_event { data: 7, res: -5, ..io_event::default() };
/// assert_eq!(event.outcome().unwrap_err().raw_os_error(), Some(5));
/// ```
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct io_event {
    /// The request's [`iocb::aio_data`].
    pub data: u64,
    /// The address of the request's [`iocb`] as it was submitted.
    pub obj: u64,
    /// What the call would have returned: bytes or a negated errno.
    pub res: i64,
    /// A second result, zero for files.
    pub res2: i64,
}

impl io_event {
    /// The completion as a result: the number of bytes (poll events for `IOCB_CMD_POLL`).
    ///
    /// # Errors
    ///
    /// The errno with which the request failed.
    ///
    /// ```
    /// let event = caio_sys::aio::io_event { res: 512, ..Default::default() };
    /// assert_eq!(event.outcome().unwrap(), 512);
    /// ```
    pub fn outcome(&self) -> io::Result<usize> {
        // An errno is below 4096, and a transfer is below 2^31: neither cast loses anything.
        usize::try_from(self.res).map_err(|_| io::Error::from_raw_os_error(-self.res as i32))
    }
}

const _: () = {
    assert!(size_of::<iocb>() == 64);
    assert!(offset_of!(iocb, aio_data) == 0);
    assert!(offset_of!(iocb, aio_key) == if cfg!(target_endian = "little") { 8 } else { 12 });
    assert!(offset_of!(iocb, aio_rw_flags) == if cfg!(target_endian = "little") { 12 } else { 8 });
    assert!(offset_of!(iocb, aio_lio_opcode) == 16);
    assert!(offset_of!(iocb, aio_reqprio) == 18);
    assert!(offset_of!(iocb, aio_fildes) == 20);
    assert!(offset_of!(iocb, aio_buf) == 24);
    assert!(offset_of!(iocb, aio_nbytes) == 32);
    assert!(offset_of!(iocb, aio_offset) == 40);
    assert!(offset_of!(iocb, aio_reserved2) == 48);
    assert!(offset_of!(iocb, aio_flags) == 56);
    assert!(offset_of!(iocb, aio_resfd) == 60);

    assert!(size_of::<io_event>() == 32);
    assert!(offset_of!(io_event, data) == 0);
    assert!(offset_of!(io_event, obj) == 8);
    assert!(offset_of!(io_event, res) == 16);
    assert!(offset_of!(io_event, res2) == 24);
};

/// `aio_context_t`: the name of a kernel AIO context.
///
/// A plain number, not an owner: dropping it does nothing, because [`io_destroy`] waits and a
/// destructor must not. The process that made the context is the only one that can use it; in a
/// forked child every call with it fails with `EINVAL`.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// let ctx = caio_sys::aio::io_setup(8)?;
/// let same = ctx;
/// caio_sys::aio::io_destroy(same)
/// # }
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AioContext(c_ulong);

impl AioContext {
    /// The number as the kernel gave it.
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// let ctx = caio_sys::aio::io_setup(8)?;
    /// assert_ne!(ctx.as_raw(), 0);
    /// # caio_sys::aio::io_destroy(ctx)
    /// # }
    /// ```
    pub const fn as_raw(self) -> c_ulong {
        self.0
    }
}

/// `io_setup(nr_events, &mut ctx)`: makes a context that takes at least `nr_events` requests.
///
/// `io_setup(2)`, any kernel with `CONFIG_AIO`.
///
/// # Errors
///
/// `EAGAIN`: `/proc/sys/fs/aio-max-nr` is exhausted. `EINVAL`: `nr_events` is zero or too large.
/// `ENOMEM`: no memory for the ring. `ENOSYS`, `EPERM`: no kernel AIO here.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// let ctx = caio_sys::aio::io_setup(32)?;
/// caio_sys::aio::io_destroy(ctx)
/// # }
/// ```
pub fn io_setup(nr_events: u32) -> io::Result<AioContext> {
    // The kernel refuses a context that is not zero to begin with.
    let mut ctx: c_ulong = 0;
    // The kernel's parameter is an unsigned int: on 32-bit targets the cast keeps its bits.
    let nr_events = nr_events as c_long;
    // SAFETY: `ctx` is a local that the kernel may write to during the call.
    retry(|| unsafe { libc::syscall(libc::SYS_io_setup, nr_events, &raw mut ctx) })?;
    Ok(AioContext(ctx))
}

/// `io_destroy(ctx)`: cancels what can be cancelled, **waits for everything else**, and frees the
/// context.
///
/// `io_destroy(2)`. When it returns `Ok`, the kernel touches no buffer of the context any more. The
/// wait is not interruptible and lasts as long as the slowest request, so never call it from a
/// destructor or from a task. Completions that were not taken are lost.
///
/// # Errors
///
/// `EINVAL`: there is no such context, or another thread is destroying it: then nothing was waited
/// for.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// use caio_sys::aio::{io_destroy, io_setup};
///
/// let ctx = io_setup(1)?;
/// io_destroy(ctx)?;
/// assert!(io_destroy(ctx).is_err());
/// # Ok(())
/// # }
/// ```
pub fn io_destroy(ctx: AioContext) -> io::Result<()> {
    // SAFETY: no memory of ours is passed; the kernel looks the number up and checks it.
    retry(|| unsafe { libc::syscall(libc::SYS_io_destroy, ctx.0) }).map(drop)
}

/// `io_submit(ctx, iocbs)`: submits a prefix of `iocbs` and returns its length.
///
/// `io_submit(2)`. The call returns early at the first request that is refused; the error is told
/// only if that is the very first one. On a file that is not open with `O_DIRECT` the call
/// **blocks** until the transfer is done. An [`iocb`] is copied: it need not live longer than the
/// call, but its address comes back in [`io_event::obj`] and is what [`io_cancel`] looks for.
///
/// # Errors
///
/// About the first request alone: `EAGAIN` (the context is full), `EBADF`, `EFAULT`, `EINVAL` (the
/// opcode, flags, alignment or context is wrong).
///
/// # Safety
///
/// Each pointer is valid for reads and writes of an [`iocb`] during the call. The memory that a
/// request names (the buffer; the iovecs during the call, their buffers) stays valid, and for a
/// read is not accessed otherwise, until its completion was taken by [`io_getevents`] or the
/// context destroyed by [`io_destroy`]. So does the descriptor, if the file is to be the same.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// use std::os::fd::AsRawFd;
/// use caio_sys::aio::{IOCB_CMD_PREAD, iocb, io_destroy, io_event, io_getevents, io_setup, io_submit};
///
/// let file = tempfile::tempfile()?;
/// std::os::unix::fs::FileExt::write_all_at(&file, b"hello", 0)?;
///
/// let ctx = io_setup(1)?;
/// let mut buf = [0_u8; 16];
/// let mut request = iocb {
///     aio_lio_opcode: IOCB_CMD_PREAD,
///     aio_fildes: file.as_raw_fd() as u32,
///     aio_buf: buf.as_mut_ptr() as u64,
///     aio_nbytes: buf.len() as u64,
///     ..iocb::default()
/// };
/// // SAFETY: `buf` is not touched until the completion was taken.
/// assert_eq!(unsafe { io_submit(ctx, &[&raw mut request]) }?, 1);
///
/// let mut events: Vec<io_event> = Vec::with_capacity(1);
/// let done = io_getevents(ctx, 1, events.spare_capacity_mut(), None)?;
/// assert_eq!(done[0].outcome()?, 5);
/// assert_eq!(&buf[..5], b"hello");
/// # io_destroy(ctx)
/// # }
/// ```
pub unsafe fn io_submit(ctx: AioContext, iocbs: &[*mut iocb]) -> io::Result<usize> {
    let count = iocbs.len() as c_long;
    // SAFETY: the slice is a valid array of pointers; the caller vouches for what they point to.
    retry(|| unsafe { libc::syscall(libc::SYS_io_submit, ctx.0, count, iocbs.as_ptr()) })
}

/// `io_getevents(ctx, min_nr, events, timeout)`: takes between `min_nr` and `events.len()`
/// completions.
///
/// `io_getevents(2)`. Waits until `min_nr` are there or `timeout` has passed (`None`: no limit,
/// zero: no wait), and then returns fewer, or none. A signal neither ends nor stretches the wait.
/// A vector's room is `vec.spare_capacity_mut()`.
///
/// # Errors
///
/// `EINVAL`: there is no such context, or `min_nr` is more than `events` has room for.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// use std::mem::MaybeUninit;
/// use std::time::Duration;
/// use caio_sys::aio::{io_destroy, io_getevents, io_setup};
///
/// let ctx = io_setup(1)?;
/// let mut room = [MaybeUninit::uninit(); 8];
/// let events = io_getevents(ctx, 1, &mut room, Some(Duration::from_millis(1)))?;
/// assert!(events.is_empty());
/// # io_destroy(ctx)
/// # }
/// ```
pub fn io_getevents(
    ctx: AioContext,
    min_nr: usize,
    events: &mut [MaybeUninit<io_event>],
    timeout: Option<Duration>,
) -> io::Result<&mut [io_event]> {
    let (min_nr, room) = (min_nr as c_long, events.len() as c_long);
    let address = events.as_mut_ptr();
    let taken = retry_timeout(timeout, |left| {
        let left = left.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: `events` has room for `room` events, and `left` is null or a live local.
        unsafe { libc::syscall(libc::SYS_io_getevents, ctx.0, min_nr, room, address, left) }
    })?;
    let taken = &mut events[..taken];
    // SAFETY: the kernel wrote that many events from the start of the slice.
    Ok(unsafe { &mut *(ptr::from_mut(taken) as *mut [io_event]) })
}

/// `io_cancel(ctx, iocb)`: asks for a request to end early; its completion still arrives.
///
/// `io_cancel(2)`, useful since Linux 4.19: of the requests on files and pipes only
/// `IOCB_CMD_POLL` can be cancelled; it then completes with a `res` of zero. `iocb` is the very one
/// that was submitted: the kernel knows it by its address.
///
/// # Errors
///
/// `EINVAL`: the request is done, or cannot be cancelled.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// use caio_sys::aio::{io_cancel, io_destroy, io_setup, iocb};
///
/// let ctx = io_setup(1)?;
/// let never_submitted = iocb::default();
/// assert!(io_cancel(ctx, &never_submitted).is_err());
/// # io_destroy(ctx)
/// # }
/// ```
pub fn io_cancel(ctx: AioContext, iocb: &iocb) -> io::Result<()> {
    let mut unused = io_event::default();
    let iocb = ptr::from_ref(iocb);
    let cancelled =
        // SAFETY: the kernel reads `iocb`, a live reference, and may write to `unused`, a local.
        retry(|| unsafe { libc::syscall(libc::SYS_io_cancel, ctx.0, iocb, &raw mut unused) });
    match cancelled {
        // The kernel's way to say that the completion will come by the ring.
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
        other => other.map(drop),
    }
}
