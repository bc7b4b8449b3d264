//! Opening: finds out whether io_uring can be used here by making a real ring and sending a request
//! through it.

use crate::builder::Options;
use crate::driver::UringDriver;
use crate::engine::{Engine, Parts};
use crate::prep::{Opcodes, Registered};
use crate::refusal::{self, ENTER, REGISTER, SETUP};
use crate::ring::{Budget, Contended, Cqe, Flushed, Ring};
use crate::routes::Completions;
use caio_core::{BackendKind, Completer, Drive, Opened, Refusal, Settings};
use caio_sys::eventfd::EventFd;
use caio_sys::poll::{PollEvents, PollFd, poll};
use io_uring::IoUring;
use io_uring::register::Probe;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The most entries of a submission queue: what is beyond is handed over in more than one system
/// call.
const MAX_ENTRIES: usize = 256;
/// How long the kernel may take to answer a request that does nothing; it does so at once, unless a
/// submission thread must start.
const ROUND_TRIP_TIMEOUT: Duration = Duration::from_secs(5);
/// How often that answer is looked for where nobody signals it.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// The fewest operations that a ring is worth having for.
const MIN_REQUESTS: usize = 4;

/// Opens the backend with what all backends are opened with.
pub(crate) fn open(settings: &Settings, completer: Completer) -> Result<Opened, Refusal> {
    open_with(settings, completer, Options::default())
}

/// Opens the backend. Where there is no memory for a ring, one of half the depth is tried, and so
/// on.
pub(crate) fn open_with(settings: &Settings, completer: Completer, options: Options) -> Result<Opened, Refusal> {
    let event = EventFd::new().map_err(|error| refusal::of_call("eventfd", error))?;
    let Options { sqpoll, iopoll, files, buffers, shards, routes, completions, without, submissions, drain_limit } =
        options;
    let registered = Registered::new(files, buffers);
    let mut config = RingConfig { max_requests: settings.max_requests, sqpoll, iopoll, completions, submissions };
    let uring = loop {
        match config.setup() {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && config.max_requests > MIN_REQUESTS => {
                config.max_requests = (config.max_requests / 2).max(MIN_REQUESTS);
            }
            Err(error) => return Err(config.refuse(error)),
            Ok(uring) => break uring,
        }
    };
    check_features(&uring, &config)?;
    let mut opcodes = supported(&uring).map_err(|error| refusal::of_call(REGISTER, error))?;
    without.into_iter().for_each(|code| opcodes.forget(code));
    let ring = register(uring, &config, &event, &registered)?;
    round_trip(&ring, &event)?;
    let max_requests = config.max_requests;
    let parts = Parts { ring, shards: shards.max(1), config, opcodes, registered, event, routes, drain_limit };
    let engine = Engine::new(settings, completer, parts);
    let driver = settings.driven.then(|| Arc::new(UringDriver::new(Arc::clone(&engine))) as Arc<dyn Drive>);
    Ok(Opened { backend: engine, kind: BackendKind::Uring, max_requests, driver })
}

/// How rings are made.
#[derive(Clone, Debug)]
pub(crate) struct RingConfig {
    /// The bound on operations in flight.
    max_requests: usize,
    /// See [`Builder::sqpoll`](crate::Builder::sqpoll).
    sqpoll: Option<Duration>,
    /// See [`Builder::iopoll`](crate::Builder::iopoll).
    iopoll: bool,
    /// How many completions there is room for, where a test says so.
    completions: Option<u32>,
    /// Counts the system calls that submit, for tests.
    submissions: Arc<AtomicUsize>,
}

impl RingConfig {
    /// Makes a ring. Its completion queue has room for all operations and as many cancels.
    fn setup(&self) -> io::Result<IoUring> {
        let entries = self.max_requests.min(MAX_ENTRIES) as u32;
        let completions = self.completions.unwrap_or((2 * self.max_requests) as u32);
        let mut builder = IoUring::builder();
        builder.setup_clamp().setup_cqsize(completions.max(entries));
        if let Some(idle) = self.sqpoll {
            builder.setup_sqpoll(u32::try_from(idle.as_millis()).unwrap_or(u32::MAX));
        }
        if self.iopoll {
            builder.setup_iopoll();
        }
        builder.build(entries)
    }

    /// Refuses because `setup` failed; names the option that is to blame, if a ring without it can
    /// be made.
    fn refuse(&self, error: io::Error) -> Refusal {
        let plain = Self { sqpoll: None, iopoll: false, ..self.clone() };
        if (self.sqpoll.is_some() || self.iopoll) && plain.setup().is_ok() {
            return if self.sqpoll.is_some() {
                let remedy = "a submission thread of the kernel's needs CAP_SYS_NICE on Linux before 5.13, and root before 5.11; leave \
                              `sqpoll` out otherwise";
                refusal::of_option("sqpoll", error, remedy)
            } else {
                refusal::of_option("iopoll", error, "this kernel polls no devices for completions; leave `iopoll` out")
            };
        }
        refusal::of_call(SETUP, error)
    }

    /// How devices tell of completions.
    pub(crate) fn completions(&self) -> Completions {
        if self.iopoll { Completions::Polled } else { Completions::Interrupt }
    }

    /// One more ring. `None` if the system has no more to give.
    pub(crate) fn another(&self, event: &EventFd, registered: &Registered) -> Option<Ring> {
        register(self.setup().ok()?, self, event, registered).ok()
    }
}

/// Refuses a kernel that lacks what every operation needs.
fn check_features(uring: &IoUring, config: &RingConfig) -> Result<(), Refusal> {
    let parameters = uring.params();
    if !parameters.is_feature_nodrop() || !parameters.is_feature_rw_cur_pos() {
        return Err(refusal::too_old("IORING_FEAT_RW_CUR_POS"));
    }
    if config.sqpoll.is_some() && !parameters.is_feature_sqpoll_nonfixed() {
        let error = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
        return Err(refusal::of_option("sqpoll", error, "it needs Linux 5.11; leave `sqpoll` out"));
    }
    Ok(())
}

/// Which operations the kernel has: asked once, because it does not change.
fn supported(uring: &IoUring) -> io::Result<Opcodes> {
    static KNOWN: OnceLock<Opcodes> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return Ok(*known);
    }
    let mut probe = Probe::new();
    uring.submitter().register_probe(&mut probe)?;
    Ok(*KNOWN.get_or_init(|| Opcodes::new(&probe)))
}

/// Registers what a ring needs.
fn register(uring: IoUring, config: &RingConfig, event: &EventFd, registered: &Registered) -> Result<Ring, Refusal> {
    let submitter = uring.submitter();
    submitter.register_eventfd(event.as_raw_fd()).map_err(|error| refusal::of_call(REGISTER, error))?;
    registered.register(&submitter)?;
    Ok(Ring::new(uring, config.max_requests, Arc::clone(&config.submissions)))
}

/// Sends a request that does nothing through a ring, so that a system call that is forbidden is
/// found out now.
fn round_trip(ring: &Ring, event: &EventFd) -> Result<(), Refusal> {
    let failed = |errno| refusal::of_call(ENTER, io::Error::from_raw_os_error(errno));
    ring.stage_nop();
    match ring.flush(&mut Budget::new()) {
        Flushed::Done | Flushed::More => {}
        Flushed::Retry => return Err(failed(libc::EAGAIN)),
        Flushed::Dead(error, _) => return Err(failed(error)),
    }
    let mut cqes = [Cqe::default()];
    let deadline = Instant::now() + ROUND_TRIP_TIMEOUT;
    loop {
        ring.poll_device();
        if ring.reap(&mut cqes, Contended::Wait) != 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(failed(libc::ETIMEDOUT));
        }
        let mut wait = [PollFd::new(event.as_fd(), PollEvents::IN)];
        poll(&mut wait, Some(POLL_INTERVAL)).map_err(|error| refusal::of_call("poll", error))?;
    }
}
