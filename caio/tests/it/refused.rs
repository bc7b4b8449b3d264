//! What happens where a host refuses a backend: the next one is used, and the reason and the remedy can be read.

use caio::{BackendKind, Context};
use caio_conformance::kit::seccomp::{Refused, refuse_or_skip};
use std::io;
use std::thread;

/// Runs a check in a thread of its own in which the calls are refused.
fn under(calls: &'static [libc::c_long], errno: i32, check: impl FnOnce() + Send + 'static) {
    let run = move || {
        let refused: Vec<_> = calls.iter().map(|call| Refused::always(*call, errno)).collect();
        if refuse_or_skip(&refused) {
            check();
        }
    };
    thread::spawn(run).join().expect("the check passes");
}

/// Reads and writes a real file.
fn works(ctx: &Context) {
    let fd: caio::SharedFd = tempfile::tempfile().expect("a file").into();
    futures::executor::block_on(async {
        assert_eq!(ctx.write(b"still works", &fd, 0).await.0.expect("a write"), 11);
        assert_eq!(ctx.read(32, &fd, 0).await.expect("a read"), b"still works");
        ctx.fdsync(&fd).await.expect("a sync");
    });
}

/// The refusal of a forced backend, whose text names all that its reader needs.
fn forced(kind: BackendKind, needles: &[&str]) {
    let error = Context::builder().backend(kind).build().expect_err("it is refused");
    let text = error.to_string();
    for needle in needles {
        assert!(text.contains(needle), "{text:?} does not mention {needle:?}");
    }
    let refusal = error.get_ref().and_then(|inner| inner.downcast_ref::<caio::Refusal>()).expect("a refusal");
    assert_eq!(refusal.backend(), kind);
}

/// The automatic choice is another one, and tells why.
fn moved_on(needles: &[&str]) {
    if std::env::var_os("CAIO_IMPL").is_some() {
        eprintln!("SKIP: CAIO_IMPL forces a backend");
        return;
    }
    let ctx = Context::new().expect("another backend");
    assert_ne!(ctx.backend(), BackendKind::Uring);
    let [refusal, ..] = ctx.rejected() else { panic!("nothing was rejected") };
    let text = format!("{} {}", refusal.reason(), refusal.remedy());
    for needle in needles {
        assert!(text.contains(needle), "{text:?} does not mention {needle:?}");
    }
    let probe =
        caio::probe().into_iter().find(|probe| probe.backend() == BackendKind::Uring).expect("it is compiled in");
    assert!(!probe.is_usable());
    works(&ctx);
}

/// Whether the features of this build include a backend and one to fall back to.
fn has_uring_and_another() -> bool {
    let enough = cfg!(feature = "uring") && cfg!(any(feature = "aio", feature = "thread"));
    if !enough {
        eprintln!("SKIP: this build has no io_uring backend with another to fall back to");
    }
    enough
}

#[test]
fn by_seccomp_with_eperm() {
    if has_uring_and_another() {
        under(&[libc::SYS_io_uring_setup], libc::EPERM, || {
            moved_on(&["EPERM", "seccomp", "Docker", "Podman", "Kubernetes"]);
            forced(BackendKind::Uring, &["io_uring_setup", "EPERM", "seccomp"]);
        });
    }
}

#[test]
fn by_seccomp_with_enosys() {
    if has_uring_and_another() {
        under(&[libc::SYS_io_uring_setup], libc::ENOSYS, || {
            moved_on(&["ENOSYS", "5.6"]);
            forced(BackendKind::Uring, &["io_uring_setup", "ENOSYS"]);
        });
    }
}

#[test]
fn by_seccomp_after_the_ring_was_made() {
    if has_uring_and_another() {
        under(&[libc::SYS_io_uring_enter], libc::EPERM, || moved_on(&["EPERM", "seccomp"]));
        under(&[libc::SYS_io_uring_register], libc::EPERM, || moved_on(&["EPERM", "seccomp"]));
    }
}

#[cfg(all(feature = "uring", feature = "aio", feature = "thread"))]
#[test]
fn by_seccomp_for_both_kernel_interfaces() {
    under(&[libc::SYS_io_uring_setup, libc::SYS_io_setup], libc::EPERM, || {
        let kinds = |ctx: &Context| ctx.rejected().iter().map(caio::Refusal::backend).collect::<Vec<_>>();
        let ctx = Context::builder().order(BackendKind::ALL).build().expect("threads always work");
        if std::env::var_os("CAIO_IMPL").is_none() {
            assert_eq!(ctx.backend(), BackendKind::Thread);
            assert_eq!(kinds(&ctx), [BackendKind::Uring, BackendKind::Aio]);
            works(&ctx);
        }
        forced(BackendKind::Aio, &["io_setup", "EPERM", "seccomp"]);
    });
}

/// A sysctl that is put back when the test ends, however it ends.
struct Sysctl {
    /// Its file.
    path: &'static str,
    /// What it was.
    before: String,
}

impl Sysctl {
    /// Sets it; `None` where that is not allowed, or the kernel has no such setting.
    fn set(path: &'static str, value: &str) -> Option<Self> {
        let set = || -> io::Result<Self> {
            let before = std::fs::read_to_string(path)?;
            std::fs::write(path, value)?;
            Ok(Self { path, before })
        };
        set().inspect_err(|error| eprintln!("SKIP: {path} cannot be set: {error}")).ok()
    }
}

impl Drop for Sysctl {
    fn drop(&mut self) {
        std::fs::write(self.path, &self.before).expect("the sysctl is put back");
    }
}

/// What the example `doctor` prints here, where it has been built beside this test.
fn doctor() -> Option<String> {
    let exe = std::env::current_exe().ok()?;
    let path = exe.parent()?.parent()?.join("examples/doctor");
    let output = std::process::Command::new(path).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
#[ignore = "it changes a setting of the whole host: run it alone"]
fn refused_by_sysctl() {
    if !has_uring_and_another() {
        return;
    }
    if let Some(_sysctl) = Sysctl::set("/proc/sys/kernel/io_uring_disabled", "2") {
        moved_on(&["EPERM", "kernel.io_uring_disabled"]);
        forced(BackendKind::Uring, &["EPERM", "kernel.io_uring_disabled"]);
        let doctor = doctor().expect("the example doctor is built beside the tests");
        assert!(doctor.contains("kernel.io_uring_disabled"), "{doctor}");
    }
}

#[cfg(feature = "aio")]
#[test]
#[ignore = "it changes a setting of the whole host: run it alone"]
fn refused_by_aio_max_nr() {
    if let Some(_sysctl) = Sysctl::set("/proc/sys/fs/aio-max-nr", "0") {
        forced(BackendKind::Aio, &["EAGAIN", "fs.aio-max-nr"]);
        if cfg!(feature = "thread") {
            let ctx = Context::builder().order([BackendKind::Aio, BackendKind::Thread]).build().expect("threads work");
            works(&ctx);
        }
        let doctor = doctor().expect("the example doctor is built beside the tests");
        assert!(doctor.contains("fs.aio-max-nr"), "{doctor}");
    }
}

#[test]
#[ignore = "the test below runs it as another user with little memory to lock"]
fn makes_a_context_without_locked_memory() {
    let text = match Context::builder().backend(BackendKind::Uring).build() {
        Ok(ctx) => format!("allowed {}", ctx.max_requests()),
        Err(error) => error.to_string(),
    };
    println!("<<{text}>>");
    let ctx = Context::new().expect("another backend");
    works(&ctx);
    println!("[[{} after {}]]", ctx.backend(), ctx.rejected().len());
}

#[test]
#[ignore = "it needs root, to run as another user"]
fn refused_by_locked_memory_limit() {
    use std::os::unix::process::CommandExt;
    if !has_uring_and_another() {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let copy = dir.path().join("test");
    std::fs::copy(std::env::current_exe().expect("this binary"), &copy).expect("a copy of it");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).expect("others may look inside");
    let mut command = std::process::Command::new(&copy);
    command.args(["refused::makes_a_context_without_locked_memory", "--exact", "--ignored", "--nocapture"]);
    command.env_remove("CAIO_IMPL").current_dir("/").uid(65534).gid(65534);
    // SAFETY: `setrlimit` is async-signal-safe, and reads a structure that lives until it returns.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            if libc::setrlimit(libc::RLIMIT_MEMLOCK, &none) == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        });
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return eprintln!("SKIP: no process of another user can be started: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    if text.contains("<<allowed") {
        return eprintln!("SKIP: this kernel does not charge rings to RLIMIT_MEMLOCK");
    }
    for needle in ["ENOMEM", "RLIMIT_MEMLOCK", "after 1]]"] {
        assert!(text.contains(needle), "{text:?} does not mention {needle:?}");
    }
}
