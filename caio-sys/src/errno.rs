//! What error numbers mean, and their symbolic names.

use std::io;

pub use libc::EAGAIN;

/// What an error number says to somebody who may take another way.
///
/// The number itself decides: the kinds of [`io::Error`] differ between releases of the standard
/// library (`EOPNOTSUPP` has none in 1.85).
///
/// ```
/// use caio_sys::errno::Meaning;
///
/// let unknown_flag = std::io::Error::from_raw_os_error(libc::EOPNOTSUPP);
/// assert_eq!(Meaning::of(&unknown_flag), Meaning::Unsupported);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// `EAGAIN`: the call would have had to wait, or there is no room now.
    WouldBlock,
    /// `EINTR`: a signal came.
    Interrupted,
    /// `ECANCELED`: it was cancelled.
    Cancelled,
    /// `EOPNOTSUPP`, `ENOSYS`: the file or the kernel does not know the call, or a flag of it.
    Unsupported,
    /// `EINVAL`: an argument is wrong, or not known here.
    Invalid,
    /// `EPERM`, `EACCES`: it is forbidden.
    Forbidden,
    /// `ENOMEM`: there is no memory.
    NoMemory,
    /// `EMFILE`, `ENFILE`: no more files may be open.
    NoDescriptor,
    /// Something else, or no error of a system call.
    Other,
}

impl Meaning {
    /// What an error says.
    ///
    /// ```
    /// use caio_sys::errno::Meaning;
    ///
    /// let error = std::fs::File::open("/no/such/file").unwrap_err();
    /// assert_eq!(Meaning::of(&error), Meaning::Other);
    /// ```
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        error.raw_os_error().map_or(Self::Other, Self::of_number)
    }

    /// What an error number says.
    const fn of_number(errno: i32) -> Self {
        match errno {
            libc::EAGAIN => Self::WouldBlock,
            libc::EINTR => Self::Interrupted,
            libc::ECANCELED => Self::Cancelled,
            libc::EOPNOTSUPP | libc::ENOSYS => Self::Unsupported,
            libc::EINVAL => Self::Invalid,
            libc::EPERM | libc::EACCES => Self::Forbidden,
            libc::ENOMEM => Self::NoMemory,
            libc::EMFILE | libc::ENFILE => Self::NoDescriptor,
            _ => Self::Other,
        }
    }
}

/// One arm a constant, so that a name is written once and its number is the target's own.
macro_rules! names {
    ($errno:expr, $($name:ident)*) => {
        match $errno {
            $(libc::$name => Some(stringify!($name)),)*
            _ => None,
        }
    };
}

/// The name of an error number: `"EPERM"` for 1. `None` if the number has none.
///
/// `errno(3)`. Of several names of one number it is the kernel's own: `EAGAIN`, `EDEADLK`,
/// `EOPNOTSUPP`.
///
/// ```
/// use caio_sys::errno::errno_name;
///
/// let error = std::fs::File::open("/no/such/file").unwrap_err();
/// assert_eq!(error.raw_os_error().and_then(errno_name), Some("ENOENT"));
/// ```
#[must_use]
#[rustfmt::skip]
pub const fn errno_name(errno: i32) -> Option<&'static str> {
    names!(
        errno,
        EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
        ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
        ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY
        ELOOP ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR
        EXFULL ENOANO EBADRQC EBADSLT EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE
        ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD
        EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK
        EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP
        EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET
        ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT
        ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL
        EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED
        EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON
    )
}
