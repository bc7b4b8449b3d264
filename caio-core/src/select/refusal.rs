//! Why a backend cannot be used here, and what to do about it.

use crate::backend::BackendKind;
use crate::error;
use std::fmt;
use std::io;

/// Why a backend cannot be used here, and what to do about it.
///
/// ```
/// use caio_core::{BackendKind, Refusal};
/// let denied = std::io::Error::from_raw_os_error(1);
/// let refusal = Refusal::new(BackendKind::Uring, "io_uring_setup", denied, "allow io_uring in the seccomp profile");
/// assert_eq!(refusal.errno(), Some(1));
/// assert!(refusal.to_string().contains("io_uring_setup"));
/// ```
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Which one.
    backend: BackendKind,
    /// What was tried: a system call or a setting.
    step: &'static str,
    /// The kind of the error.
    kind: io::ErrorKind,
    /// The system's error number, where there was one.
    errno: Option<i32>,
    /// What went wrong.
    reason: String,
    /// What to do about it.
    remedy: String,
}

impl Refusal {
    /// A refusal of a step, with its error and what to do about it.
    ///
    /// ```
    /// use caio_core::{BackendKind, Refusal};
    /// let error = std::io::Error::other("the kernel lacks IORING_OP_READ");
    /// let refusal = Refusal::new(BackendKind::Uring, "io_uring_register", error, "use Linux 5.6 or later");
    /// assert!(refusal.to_string().ends_with("use Linux 5.6 or later"));
    /// ```
    #[must_use]
    pub fn new(backend: BackendKind, step: &'static str, error: io::Error, remedy: impl Into<String>) -> Self {
        let errno = error::errno(&error);
        let named = errno.map(error::name);
        let reason = named.map_or_else(|| error.to_string(), |name| format!("{name}: {error}"));
        Self { backend, step, kind: error.kind(), errno, reason, remedy: remedy.into() }
    }

    /// The backend that cannot be used.
    ///
    /// ```
    /// # use caio_core::{BackendKind, Refusal};
    /// # let error = std::io::Error::from_raw_os_error(1);
    /// let refusal = Refusal::new(BackendKind::Uring, "io_uring_setup", error, "allow io_uring");
    /// assert_eq!(refusal.backend(), BackendKind::Uring);
    /// ```
    #[must_use]
    pub fn backend(&self) -> BackendKind {
        self.backend
    }

    /// What was tried: a system call or a setting.
    ///
    /// ```
    /// # use caio_core::{BackendKind, Refusal};
    /// # let error = std::io::Error::from_raw_os_error(1);
    /// let refusal = Refusal::new(BackendKind::Aio, "io_setup", error, "raise fs.aio-max-nr");
    /// assert_eq!(refusal.step(), "io_setup");
    /// ```
    #[must_use]
    pub fn step(&self) -> &'static str {
        self.step
    }

    /// The system's error number, where there was one.
    ///
    /// ```
    /// # use caio_core::{BackendKind, Refusal};
    /// let error = std::io::Error::other("not a system call's error");
    /// let refusal = Refusal::new(BackendKind::Thread, "settings", error, "choose another setting");
    /// assert_eq!(refusal.errno(), None);
    /// ```
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.errno
    }

    /// What went wrong, with the error's name.
    ///
    /// ```
    /// # use caio_core::{BackendKind, Refusal};
    /// let error = std::io::Error::other("the kernel lacks IORING_OP_READ");
    /// let refusal = Refusal::new(BackendKind::Uring, "io_uring_register", error, "use Linux 5.6 or later");
    /// assert_eq!(refusal.reason(), "the kernel lacks IORING_OP_READ");
    /// ```
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What to do about it.
    ///
    /// ```
    /// # use caio_core::{BackendKind, Refusal};
    /// # let error = std::io::Error::from_raw_os_error(11);
    /// let refusal = Refusal::new(BackendKind::Aio, "io_setup", error, "raise fs.aio-max-nr");
    /// assert_eq!(refusal.remedy(), "raise fs.aio-max-nr");
    /// ```
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, step, reason, remedy, .. } = self;
        write!(f, "{backend} cannot be used: {step}: {reason}; {remedy}")
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.kind, refusal)
    }
}

/// No backend can be used: each one's refusal.
///
/// ```
/// let refusals = caio_core::Refusals::default();
/// assert!(refusals.as_slice().is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Refusals(pub(super) Vec<Refusal>);

impl Refusals {
    /// The refusals in the order in which the backends were tried.
    ///
    /// ```
    /// use caio_core::{Context, Refusals};
    /// if let Err(error) = Context::new() {
    ///     let refusals = error.get_ref().and_then(|inner| inner.downcast_ref::<Refusals>());
    ///     for refusal in refusals.map_or(&[][..], Refusals::as_slice) {
    ///         println!("{}: {}", refusal.backend(), refusal.reason());
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn as_slice(&self) -> &[Refusal] {
        &self.0
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no backend is compiled in: enable a Cargo feature of caio (uring, aio or thread)");
        }
        f.write_str("no backend can be used")?;
        self.0.iter().try_for_each(|refusal| write!(f, "\n  {refusal}"))
    }
}

impl std::error::Error for Refusals {}

impl From<Refusals> for io::Error {
    fn from(refusals: Refusals) -> Self {
        let kind = refusals.0.last().map_or(io::ErrorKind::Unsupported, |refusal| refusal.kind);
        Self::new(kind, refusals)
    }
}
