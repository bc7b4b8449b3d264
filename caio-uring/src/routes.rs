//! Which way each kind of operation takes.

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
/// | writes | through the ring for `O_DIRECT` and for files without positions; through the pool otherwise, which has one lane per file, because the kernel would hand them to threads of its own, which get in each other's way |
/// | syncs | through the pool, where one sync serves all requests that came before it |
///
/// What the kernel's ring lacks goes to the pool whatever is set here.
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
    /// Whether operations that need not wait are done in their caller's thread at once: reads that the page cache serves.
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
}
