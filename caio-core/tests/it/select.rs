//! Which backend is chosen. The environment belongs to a whole process, so each case has a process of its own.

use crate::mock::Mock;
use caio_core::{BackendKind, Candidate, Context, Opened, Refusal, Refusals};
use std::process::Command;
use std::sync::Arc;

// io_uring is refused, kernel AIO is not linked in, threads work.
caio_core::announce! {
    Candidate {
        kind: BackendKind::Uring,
        open: |_, _| {
            let error = std::io::Error::from_raw_os_error(1);
            Err(Refusal::new(BackendKind::Uring, "io_uring_setup", error, "allow it in the seccomp profile"))
        },
    }
}
caio_core::announce! {
    Candidate {
        kind: BackendKind::Thread,
        open: |settings, completer| {
            let max_requests = if settings.portable { 1 } else { settings.max_requests };
            let backend = Arc::new(Mock::new(completer));
            Ok(Opened { backend, kind: BackendKind::Thread, max_requests, driver: None })
        },
    }
}

/// What is built in the other process.
#[test]
#[ignore = "the other process of the tests below"]
fn child() {
    let builder = match std::env::var("BUILD").unwrap_or_default().as_str() {
        "" => Context::builder(),
        "forced-thread" => Context::builder().backend(BackendKind::Thread),
        "forced-uring" => Context::builder().backend(BackendKind::Uring),
        "forced-aio" => Context::builder().backend(BackendKind::Aio),
        "thread-first" => Context::builder().order([BackendKind::Thread, BackendKind::Uring]),
        "aio-thread" => Context::builder().order([BackendKind::Aio, BackendKind::Thread]),
        "hopeless" => Context::builder().order([BackendKind::Uring, BackendKind::Aio]),
        "nothing" => Context::builder().order([]),
        "no-room" => Context::builder().max_requests(0),
        other => panic!("{other}"),
    };
    match builder.build() {
        Ok(ctx) => {
            let rejected: Vec<_> = ctx.rejected().iter().map(|refusal| refusal.backend().name()).collect();
            println!("<{} {} rejected {rejected:?}>", ctx.backend(), ctx.max_requests());
        }
        Err(error) => {
            let inner = error.get_ref();
            let one = inner.and_then(|inner| inner.downcast_ref::<Refusal>()).is_some();
            let all = inner.and_then(|inner| inner.downcast_ref::<Refusals>()).map(|all| all.as_slice().len());
            println!("<{:?} refusal {one} refusals {all:?}: {error}>", error.kind());
        }
    }
}

/// What the other process built, with these settings.
fn build(how: &str, env: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "select::child", "--ignored", "--nocapture"]).env("BUILD", how);
    command.env_remove("CAIO_IMPL").env("CAIO_DEFAULT_IMPLEMENTATION", "/nonexistent");
    command.envs(env.iter().copied());
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let line = output.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>'));
    line.map(|(line, _)| line.to_owned()).unwrap_or(output)
}

/// A file with a default.
fn default_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// The kind of the error that io_uring is refused with here, whose number has another meaning on each system.
fn denied() -> String {
    format!("{:?}", std::io::Error::from_raw_os_error(1).kind())
}

#[test]
fn the_first_that_works_is_chosen_and_the_others_are_remembered() {
    assert_eq!(build("", &[]), r#"thread 256 rejected ["uring"]"#);
    assert_eq!(build("thread-first", &[]), "thread 256 rejected []");
    assert_eq!(build("aio-thread", &[]), r#"thread 256 rejected ["aio"]"#);
}

#[test]
fn a_forced_backend_never_falls_back() {
    assert_eq!(build("forced-thread", &[]), "thread 256 rejected []");
    let refused = build("forced-uring", &[]);
    assert!(refused.starts_with(&format!("{} refusal true", denied())), "{refused}");
    assert!(refused.contains("io_uring_setup") && refused.contains("seccomp"), "{refused}");
    let missing = build("forced-aio", &[]);
    assert!(missing.starts_with("Unsupported refusal true") && missing.contains("not compiled in"), "{missing}");
    for (name, value) in [("uring", denied()), ("linux", "Unsupported".to_owned()), ("aio", "Unsupported".to_owned())] {
        let refused = build("", &[("CAIO_IMPL", name)]);
        assert!(refused.starts_with(&value), "{name}: {refused}");
    }
}

#[test]
fn the_caller_has_the_last_word() {
    assert_eq!(build("forced-thread", &[("CAIO_IMPL", "uring")]), "thread 256 rejected []");
    assert_eq!(build("forced-thread", &[("CAIO_IMPL", "nonsense")]), "thread 256 rejected []");
}

#[test]
fn the_environment_forces() {
    assert_eq!(build("", &[("CAIO_IMPL", "thread")]), "thread 256 rejected []");
    assert_eq!(build("", &[("CAIO_IMPL", "python")]), "thread 1 rejected []", "the portable one");
    assert_eq!(build("", &[("CAIO_IMPL", "")]), r#"thread 256 rejected ["uring"]"#, "nothing is no name");
    for name in ["nonsense", "Thread", " uring"] {
        let refused = build("", &[("CAIO_IMPL", name)]);
        assert!(refused.starts_with("InvalidInput") && refused.contains("CAIO_IMPL"), "{refused}");
        assert!(["uring", "linux", "aio", "thread", "python"].iter().all(|known| refused.contains(known)), "{refused}");
    }
}

#[test]
fn the_default_file_forces_by_its_first_known_name() {
    let chosen = |text: &str| {
        let file = default_file(text);
        build("", &[("CAIO_DEFAULT_IMPLEMENTATION", file.path().to_str().unwrap())])
    };
    assert_eq!(chosen("thread\n"), "thread 256 rejected []");
    assert_eq!(chosen("\n  \n# uring\nnonsense\n  thread  \nuring\n"), "thread 256 rejected []");
    assert_eq!(chosen("# a comment\r\npython\r\n"), "thread 1 rejected []");
    assert!(chosen("uring").starts_with(&format!("{} refusal true", denied())));
    for text in ["", "nonsense\n#thread\n", "\u{0}\u{1}"] {
        assert_eq!(chosen(text), r#"thread 256 rejected ["uring"]"#, "{text:?} names nothing");
    }
    let file = default_file("uring");
    let path = file.path().to_str().unwrap();
    let both = [("CAIO_IMPL", "thread"), ("CAIO_DEFAULT_IMPLEMENTATION", path)];
    assert_eq!(build("", &both), "thread 256 rejected []", "the variable comes first");
}

#[test]
fn all_refusals_are_told_together() {
    let refused = build("hopeless", &[]);
    assert!(refused.contains("refusals Some(2)"), "{refused}");
    assert!(refused.contains("uring cannot be used") && refused.contains("aio cannot be used"), "{refused}");
    assert!(build("nothing", &[]).contains("refusals Some(0)"));
    assert!(build("no-room", &[]).starts_with("InvalidInput"));
}

#[test]
fn a_refusal_tells_what_why_and_what_to_do() {
    let error = std::io::Error::from_raw_os_error(12);
    let refusal = Refusal::new(BackendKind::Uring, "io_uring_setup", error, "raise RLIMIT_MEMLOCK");
    assert_eq!((refusal.backend(), refusal.step(), refusal.errno()), (BackendKind::Uring, "io_uring_setup", Some(12)));
    assert_eq!(refusal.remedy(), "raise RLIMIT_MEMLOCK");
    if cfg!(target_os = "linux") {
        assert!(refusal.reason().contains("ENOMEM"), "{refusal}");
    }
    let text = refusal.to_string();
    assert!(["uring", "io_uring_setup", "raise RLIMIT_MEMLOCK"].iter().all(|part| text.contains(part)), "{text}");
    let error: std::io::Error = refusal.into();
    assert_eq!(error.kind(), std::io::Error::from_raw_os_error(12).kind());
    let plain = Refusal::new(BackendKind::Aio, "selection", std::io::Error::other("no number"), "none");
    assert_eq!((plain.errno(), plain.reason()), (None, "no number"));
}

#[test]
fn probing_tells_of_each_that_is_linked_in() {
    let probes = caio_core::probe();
    let usable: Vec<_> = probes.iter().map(|probe| (probe.backend(), probe.is_usable())).collect();
    assert_eq!(usable, [(BackendKind::Uring, false), (BackendKind::Thread, true)]);
    assert_eq!(probes[0].refusal().and_then(Refusal::errno), Some(1));
    assert!(probes[0].to_string().contains("seccomp") && probes[1].to_string().contains("can be used"));
}

#[test]
fn backends_have_names() {
    for kind in BackendKind::ALL {
        assert_eq!(kind.to_string().parse::<BackendKind>().unwrap(), kind);
    }
    assert_eq!("python".parse::<BackendKind>().unwrap(), BackendKind::Thread);
    assert_eq!(format!("{:>8}|", BackendKind::Aio), "     aio|");
    assert!("epoll".parse::<BackendKind>().is_err());
}
