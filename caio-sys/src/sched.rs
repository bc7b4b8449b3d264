//! The I/O priority of a thread and of a request.

use std::io;

use libc::c_long;

use crate::retry::retry;

/// `IOPRIO_WHO_PROCESS`: the target is a thread, and zero is the caller's.
const IOPRIO_WHO_PROCESS: c_long = 1;
/// `IOPRIO_CLASS_SHIFT`: the class is above these bits, the level below.
const IOPRIO_CLASS_SHIFT: u16 = 13;
/// `IOPRIO_NR_LEVELS`: levels are below this.
const IOPRIO_NR_LEVELS: u8 = 8;

/// `IOPRIO_CLASS_*`: how an I/O scheduler ranks requests.
///
/// ```
/// assert_eq!(caio_sys::sched::IoClass::Idle as u16, 3);
/// ```
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoClass {
    /// Derived from the thread's CPU priority.
    None = 0,
    /// Before everything else. Needs `CAP_SYS_NICE` or `CAP_SYS_ADMIN`.
    RealTime = 1,
    /// The usual class.
    BestEffort = 2,
    /// Only when nobody else needs the disk.
    Idle = 3,
}

/// An I/O priority: a class, and a level within it.
///
/// `ioprio_set(2)`. The same number goes into `iocb.aio_reqprio` and into a ring's entries.
///
/// ```
/// use caio_sys::sched::{IoClass, IoPrio};
///
/// let prio = IoPrio::new(IoClass::BestEffort, 7).unwrap();
/// assert_eq!(prio.as_raw(), (2 << 13) | 7);
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoPrio(u16);

impl IoPrio {
    /// `IOPRIO_PRIO_VALUE(class, level)`: level 0 is served first, 7 last; a higher one is `None`.
    ///
    /// Of the classes `None` and `Idle` the level is zero.
    ///
    /// ```
    /// use caio_sys::sched::{IoClass, IoPrio};
    /// assert!(IoPrio::new(IoClass::RealTime, 8).is_none());
    /// ```
    pub const fn new(class: IoClass, level: u8) -> Option<Self> {
        if level >= IOPRIO_NR_LEVELS {
            return None;
        }
        Some(Self((class as u16) << IOPRIO_CLASS_SHIFT | level as u16))
    }

    /// The number that the kernel knows.
    ///
    /// ```
    /// use caio_sys::sched::{IoClass, IoPrio};
    /// assert_eq!(IoPrio::new(IoClass::Idle, 0).unwrap().as_raw(), 3 << 13);
    /// ```
    pub const fn as_raw(self) -> u16 {
        self.0
    }
}

/// `ioprio_set(IOPRIO_WHO_PROCESS, 0, prio)`: the calling thread's I/O priority.
///
/// `ioprio_set(2)`, Linux 2.6.13. Only some I/O schedulers heed it.
///
/// # Errors
///
/// `EPERM`: not privileged for this class. `EINVAL`: the class takes no such level.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// use caio_sys::sched::{IoClass, IoPrio, ioprio_get, ioprio_set};
///
/// let low = IoPrio::new(IoClass::BestEffort, 7).unwrap();
/// ioprio_set(low)?;
/// assert_eq!(ioprio_get()?, low);
/// # Ok(())
/// # }
/// ```
pub fn ioprio_set(prio: IoPrio) -> io::Result<()> {
    let value = c_long::from(prio.0);
    retry(|| {
        // SAFETY: the call takes numbers only.
        unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0 as c_long, value) }
    })
    .map(drop)
}

/// `ioprio_get(IOPRIO_WHO_PROCESS, 0)`: the calling thread's I/O priority.
///
/// `ioprio_set(2)`, Linux 2.6.13. A thread that never had one is told as class `None`, or as the
/// best-effort level that its nice value stands for, depending on the kernel.
///
/// # Errors
///
/// None that a thread gets about itself, unless the call is filtered.
///
/// ```no_run
/// let prio = caio_sys::sched::ioprio_get()?;
/// # let _ = prio;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn ioprio_get() -> io::Result<IoPrio> {
    retry(|| {
        // SAFETY: the call takes numbers only.
        unsafe { libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0 as c_long) }
    })
    // The kernel's value has 16 bits.
    .map(|value| IoPrio(value as u16))
}
