//! Who carries an operation out: the kernel or the pool.

use caio_core::{Fact, FileKind, OpClass, Request, SharedFd};
use caio_sys::mount::{MountKind, mount_kind};
use std::os::fd::AsFd;

/// The most bytes of a transfer that the kernel is given: `io_submit` pins their pages in its
/// caller's thread, some 0.1 ms for a MiB.
const MAX_BYTES: usize = 1 << 20;

/// Which operations the kernel is given; chosen with [`Builder::routes`](crate::Builder::routes).
///
/// ```
/// assert_eq!(caio_aio::Routes::default(), caio_aio::Routes::Auto);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Routes {
    /// Those that it carries out asynchronously: reads and writes of `O_DIRECT` files.
    #[default]
    Auto,
    /// All transfers at an offset, and syncs. For tests: `io_submit` then blocks its caller on
    /// files that are not `O_DIRECT`.
    Kernel,
    /// None. For tests, and to measure against.
    Pool,
}

/// Who carries an operation out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The kernel.
    Kernel {
        /// Whether it is to refuse (`EAGAIN`) what would block the call.
        nowait: bool,
    },
    /// The pool.
    Pool {
        /// Whether that is because the kernel cannot do it asynchronously.
        fallback: bool,
    },
}

impl Routes {
    /// Chooses for an operation.
    pub(crate) fn choose(self, request: &Request) -> Destination {
        let (class, fd) = (request.class(), request.fd());
        let kernel = |nowait| Destination::Kernel { nowait };
        match (class, self) {
            (_, Self::Pool) => Destination::Pool { fallback: false },
            (OpClass::Sync, Self::Kernel) => kernel(false),
            // One sync of the pool serves all who asked before it began.
            (OpClass::Sync, Self::Auto) => Destination::Pool { fallback: false },
            (OpClass::Direct | OpClass::CachedRead | OpClass::BufferedWrite, Self::Kernel) => kernel(false),
            (OpClass::Direct, Self::Auto) if request.op().bytes() > MAX_BYTES || !is_prompt(fd) => {
                Destination::Pool { fallback: true }
            }
            (OpClass::Direct, Self::Auto) if request.op().is_read() => kernel(false),
            // A write that allocates blocks would block the call; as `nowait` it is refused at
            // once.
            (OpClass::Direct, Self::Auto) if knows_nowait(fd) => kernel(true),
            (OpClass::Direct | OpClass::CachedRead | OpClass::BufferedWrite, Self::Auto)
            | (OpClass::Position | OpClass::Stream, Self::Auto | Self::Kernel) => Destination::Pool { fallback: true },
        }
    }
}

/// Whether `io_submit` on the file waits for no server.
fn is_prompt(fd: &SharedFd) -> bool {
    fd.fact(Fact::PromptSubmit, || fd.kind() == FileKind::Block || mount_kind(fd.as_fd()) != MountKind::Unknown)
}

/// Whether a write to the file can be asked not to block the call, as far as is known.
fn knows_nowait(fd: &SharedFd) -> bool {
    fd.known(Fact::NowaitDirectWrites) != Some(false)
}
