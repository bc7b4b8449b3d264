//! Who carries an operation out.

use crate::facts;
use crate::prep::Opcodes;
use caio_core::{MAX_INLINE_BYTES, OpClass, Request};

/// How many bytes of a long `O_DIRECT` transfer count as one that is copied. Their pages are
/// pinned, which takes half as long; but 4 MiB of them take some 0.4 ms, and one flush may.
const PINNED_PER_COPIED: usize = 16;
/// How much submitting an operation may cost its caller, in bytes copied.
const MAX_COST: usize = MAX_INLINE_BYTES;

/// Which way a kind of operation takes.
///
/// ```
/// assert_eq!(caio_uring::Route::default(), caio_uring::Route::Auto);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// The way that measurements say is fastest for the file at hand.
    #[default]
    Auto,
    /// Always the ring, as far as the kernel can do the operation.
    Ring,
    /// Always the pool of threads.
    Pool,
}

/// Which way each kind of operation takes, see [`Builder::routes`](crate::Builder::routes).
///
/// | kind | `Auto` |
/// |---|---|
/// | reads | what the page cache has, in the caller's thread; the rest through the ring |
/// | writes | through the ring for `O_DIRECT`; else through the pool, which has one queue for each file: the kernel would hand them to threads of its own, which get in each other's way |
/// | syncs | through the pool, where one sync serves all requests that came before it |
///
/// Some operations go to the pool whatever is set here: what the kernel's ring lacks, transfers at
/// a file's own position ([`NO_OFFSET`](caio_core::NO_OFFSET)), and all of pipes, sockets and
/// devices that are no block devices, for which the pool waits without a worker.
///
/// ```
/// use caio_uring::{Route, Routes};
/// let mut routes = Routes::default();
/// routes.writes = Route::Ring;
/// assert!(routes.inline);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Routes {
    /// Whether operations that need not wait are done in their caller's thread at once: reads that
    /// the page cache serves.
    pub inline: bool,
    /// Which way reads take.
    pub reads: Route,
    /// Which way writes take.
    pub writes: Route,
    /// Which way syncs take.
    pub syncs: Route,
}

impl Default for Routes {
    fn default() -> Self {
        Self { inline: true, reads: Route::Auto, writes: Route::Auto, syncs: Route::Auto }
    }
}

/// Who carries an operation out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The ring.
    Ring {
        /// Whether a thread of the kernel's begins it.
        force_async: bool,
        /// How long submitting it takes: as long as copying so many bytes.
        cost: usize,
    },
    /// The pool.
    Pool {
        /// Whether that is because the ring cannot do it.
        fallback: bool,
    },
}

/// What rings do with a device that has completed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completions {
    /// It interrupts.
    Interrupt,
    /// It is polled, which not all devices can be.
    Polled,
}

impl Routes {
    /// Everything takes one way, and nothing is done inline.
    ///
    /// ```
    /// use caio_uring::{Route, Routes};
    /// assert_eq!(Routes::all(Route::Ring).syncs, Route::Ring);
    /// ```
    #[must_use]
    pub fn all(route: Route) -> Self {
        Self { inline: false, reads: route, writes: route, syncs: route }
    }

    /// Chooses for an operation.
    pub(crate) fn choose(&self, request: &Request, opcodes: &Opcodes, completions: Completions) -> Destination {
        let (op, class) = (request.op(), request.class());
        let transfers = if op.is_read() { self.reads } else { self.writes };
        let wanted = match (class, transfers) {
            (OpClass::Stream | OpClass::Position, _) => false,
            (OpClass::Sync, _) => self.syncs == Route::Ring,
            (OpClass::Direct, route) => route != Route::Pool,
            // Cached bytes are copied in the submitter's thread; a long copy would hold its
            // executor up.
            (OpClass::CachedRead, Route::Auto) => op.bytes() <= MAX_INLINE_BYTES,
            (OpClass::CachedRead | OpClass::BufferedWrite, route) => route == Route::Ring,
        };
        if !wanted {
            return Destination::Pool { fallback: false };
        }
        let able = match completions {
            Completions::Interrupt => true,
            Completions::Polled => class == OpClass::Direct && facts::is_polled(request.fd()),
        };
        if !able || !opcodes.can(op) {
            return Destination::Pool { fallback: true };
        }
        let cost = match class {
            // The page cache's bytes are copied.
            OpClass::CachedRead | OpClass::BufferedWrite => op.bytes(),
            // The pages of a long one are pinned.
            OpClass::Direct if op.bytes() > MAX_INLINE_BYTES => op.bytes() / PINNED_PER_COPIED,
            OpClass::Direct | OpClass::Sync | OpClass::Position | OpClass::Stream => 0,
        };
        let force_async = cost > MAX_COST || !facts::is_prompt(request.fd());
        Destination::Ring { force_async, cost: if force_async { 0 } else { cost } }
    }
}
