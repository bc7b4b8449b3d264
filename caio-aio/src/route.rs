//! Who carries an operation out: the kernel or the pool.

use caio_core::{NO_OFFSET, Op, SharedFd};

/// The mark of a file on which a write cannot be asked not to block; one of the bits of [`caio_core::Hints::marks`].
const BLOCKING_WRITES: u32 = 1 << 16;

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
    /// All that have a position in a file, and syncs. For tests: `io_submit` then blocks its caller on files that are not `O_DIRECT`.
    Kernel,
    /// None. For tests, and to measure against.
    Pool,
}

/// Who carries an operation out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The kernel.
    Kernel {
        /// Whether it is to refuse (`EAGAIN`) what would block the call.
        nowait: bool,
    },
    /// A worker of the pool.
    Pool {
        /// Whether that is because the kernel cannot do it asynchronously.
        fallback: bool,
    },
}

impl Routes {
    /// Chooses for an operation.
    pub(crate) fn choose(self, op: &Op, fd: &SharedFd) -> Route {
        let placed = |offset: u64| offset != NO_OFFSET && !fd.is_stream();
        match (self, op) {
            (Self::Pool, _) => Route::Pool { fallback: false },
            (Self::Kernel, Op::Fsync | Op::Fdatasync) => Route::Kernel { nowait: false },
            // One sync of the pool serves all who asked before it began.
            (Self::Auto, Op::Fsync | Op::Fdatasync) => Route::Pool { fallback: false },
            (
                Self::Kernel,
                &(Op::Read { offset, .. }
                | Op::Readv { offset, .. }
                | Op::Write { offset, .. }
                | Op::Writev { offset, .. }),
            ) if placed(offset) => Route::Kernel { nowait: false },
            (Self::Auto, &(Op::Read { offset, .. } | Op::Readv { offset, .. })) if placed(offset) && fd.is_direct() => {
                Route::Kernel { nowait: false }
            }
            // A write that allocates blocks would block the call; as `nowait` it is refused at once.
            (Self::Auto, &(Op::Write { offset, .. } | Op::Writev { offset, .. }))
                if placed(offset) && fd.is_direct() && !blocks_writes(fd) =>
            {
                Route::Kernel { nowait: true }
            }
            (Self::Auto | Self::Kernel, Op::Read { .. } | Op::Readv { .. } | Op::Write { .. } | Op::Writev { .. }) => {
                Route::Pool { fallback: true }
            }
        }
    }
}

/// Remembers that a write to the file cannot be asked not to block.
pub(crate) fn mark_blocking_writes(fd: &SharedFd) {
    fd.hints().mark(BLOCKING_WRITES);
}

/// Whether a write to the file cannot be asked not to block.
fn blocks_writes(fd: &SharedFd) -> bool {
    fd.hints().marks() & BLOCKING_WRITES != 0
}
