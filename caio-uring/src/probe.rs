//! Opening: finds out whether io_uring can be used here by making a real ring and sending a request through it.

use crate::backend::{Engine, Parts};
use crate::builder::Options;
use crate::driver::UringDriver;
use crate::entry::{Opcodes, Registered};
use crate::refusal::{self, ENTER, REGISTER, SETUP};
use crate::ring::{Cqe, Flushed, Ring};
use caio_core::{Backend, Completer, Drive, Opened, Refusal, Settings};
use caio_sys::eventfd::EventFd;
use caio_sys::poll::{PollEvents, PollFd, poll};
use io_uring::register::Probe;
use io_uring::{IoUring, opcode};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The most entries of a submission queue: what is beyond is handed over in more than one system call.
const MOST_ENTRIES: usize = 256;
/// How long the kernel may take to answer a request that does nothing; it does so at once, unless a submission thread must start.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often that answer is looked for where nobody signals it.
const GLANCE: Duration = Duration::from_millis(10);
/// The fewest operations that a ring is worth having for.
const FEWEST_REQUESTS: usize = 4;

/// Opens the backend with what all backends are opened with.
pub(crate) fn open(settings: &Settings, completer: Completer) -> Result<Opened, Refusal> {
    open_with(settings, completer, Options::default())
}

/// Opens the backend. Where there is no memory for a ring, one of half the depth is tried, and so on.
pub(crate) fn open_with(settings: &Settings, completer: Completer, options: Options) -> Result<Opened, Refusal> {
    let event = EventFd::new().map_err(|error| refusal::of_call("eventfd", error))?;
    let Options { sqpoll, iopoll, files, buffers, shards, routes, completions, without, submissions } = options;
    let registered = Registered::new(files, buffers);
    let mut blueprint = Blueprint { max_requests: settings.max_requests, sqpoll, iopoll, completions, submissions };
    let uring = loop {
        match blueprint.setup() {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && blueprint.max_requests > FEWEST_REQUESTS => {
                blueprint.max_requests = (blueprint.max_requests / 2).max(FEWEST_REQUESTS);
            }
            Err(error) => return Err(blueprint.refuse(error)),
            Ok(uring) => break uring,
        }
    };
    check_features(&uring, &blueprint)?;
    let mut opcodes = supported(&uring).map_err(|error| refusal::of_call(REGISTER, error))?;
    without.into_iter().for_each(|code| opcodes.forget(code));
    let ring = equip(uring, &blueprint, &event, &registered)?;
    round_trip(&ring, &event)?;
    let max_requests = blueprint.max_requests;
    let parts = Parts { ring, shards: shards.max(1), blueprint, opcodes, registered, event, routes };
    let engine = Engine::new(settings, completer, parts);
    let driver = settings.driven.then(|| Box::new(UringDriver::new(Arc::clone(&engine))) as Box<dyn Drive>);
    let backend: Arc<dyn Backend> = engine;
    Ok(Opened { backend, max_requests, driver })
}

/// How rings are made.
#[derive(Clone, Debug)]
pub(crate) struct Blueprint {
    /// The bound on operations in flight.
    max_requests: usize,
    /// See [`Builder::sqpoll`](crate::Builder::sqpoll).
    sqpoll: Option<Duration>,
    /// See [`Builder::iopoll`](crate::Builder::iopoll).
    iopoll: bool,
    /// How many completions there is room for, where a test says so.
    completions: Option<u32>,
    /// Counts the system calls that submit.
    submissions: Arc<AtomicUsize>,
}

impl Blueprint {
    /// Makes a ring. Its completion queue has room for all operations and as many cancels.
    fn setup(&self) -> io::Result<IoUring> {
        let entries = self.max_requests.min(MOST_ENTRIES) as u32;
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

    /// Refuses because `setup` failed; names the option that is to blame, if a ring without it can be made.
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

    /// Whether devices are polled for completions.
    pub(crate) fn is_polled(&self) -> bool {
        self.iopoll
    }

    /// One more ring. `None` if the system has no more to give.
    pub(crate) fn another(&self, event: &EventFd, registered: &Registered) -> Option<Ring> {
        equip(self.setup().ok()?, self, event, registered).ok()
    }
}

/// Refuses a kernel that lacks what every operation needs.
fn check_features(uring: &IoUring, blueprint: &Blueprint) -> Result<(), Refusal> {
    let parameters = uring.params();
    if !parameters.is_feature_nodrop() || !parameters.is_feature_rw_cur_pos() {
        return Err(refusal::too_old("IORING_FEAT_RW_CUR_POS"));
    }
    if blueprint.sqpoll.is_some() && !parameters.is_feature_sqpoll_nonfixed() {
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
fn equip(uring: IoUring, blueprint: &Blueprint, event: &EventFd, registered: &Registered) -> Result<Ring, Refusal> {
    let submitter = uring.submitter();
    submitter.register_eventfd(event.as_raw_fd()).map_err(|error| refusal::of_call(REGISTER, error))?;
    registered.register(&submitter)?;
    Ok(Ring::new(uring, blueprint.max_requests, Arc::clone(&blueprint.submissions)))
}

/// Sends a request that does nothing through a ring, so that a system call that is forbidden is found out now.
fn round_trip(ring: &Ring, event: &EventFd) -> Result<(), Refusal> {
    let failed = |errno| refusal::of_call(ENTER, io::Error::from_raw_os_error(errno));
    ring.stage_untold(opcode::Nop::new().build());
    match ring.flush() {
        Flushed::Clean => {}
        Flushed::Stuck => return Err(failed(libc::EAGAIN)),
        Flushed::Barred(error, _) => return Err(failed(error)),
    }
    let mut cqes = [Cqe::default()];
    let deadline = Instant::now() + PATIENCE;
    loop {
        ring.poll_device();
        if ring.reap(&mut cqes, true) != 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(failed(libc::ETIMEDOUT));
        }
        let mut wait = [PollFd::new(event.as_fd(), PollEvents::IN)];
        poll(&mut wait, Some(GLANCE)).map_err(|error| refusal::of_call("poll", error))?;
    }
}
