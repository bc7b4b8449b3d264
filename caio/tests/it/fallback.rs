//! The order in which backends are tried, and who has a word in it.

use crate::backends::backends;
use caio::{BackendKind, Context};
use std::process::Command;

#[test]
fn a_forced_backend_is_the_one_that_is_used() {
    for kind in BackendKind::ALL {
        match Context::builder().backend(kind).build() {
            Ok(ctx) => {
                assert_eq!(ctx.backend(), kind);
                assert!(ctx.rejected().is_empty());
            }
            Err(error) => assert!(error.to_string().starts_with(&format!("{kind} cannot be used: ")), "{error}"),
        }
    }
}

#[test]
fn the_first_that_works_in_the_order_is_used() {
    let usable: Vec<_> =
        caio::probe().into_iter().filter(caio::Probe::is_usable).map(|probe| probe.backend()).collect();
    assert!(!usable.is_empty(), "no backend works here");
    let default = Context::builder().build().expect("one works");
    assert_eq!(Some(&default.backend()), usable.first());
    let reversed = Context::builder().order(BackendKind::ALL.into_iter().rev()).build().expect("one works");
    assert_eq!(Some(&reversed.backend()), usable.last());
    for kind in BackendKind::ALL {
        assert_eq!(Context::builder().order([kind]).build().is_ok(), usable.contains(&kind), "{kind}");
    }
    assert!(!backends().is_empty());
}

/// What `Context::new` does under variables of its own: the backend's name, or the error.
fn choice(variables: &[(&str, &str)]) -> String {
    let exe = std::env::current_exe().expect("the path of this binary");
    let mut command = Command::new(exe);
    command.args(["fallback::makes_a_context", "--exact", "--ignored", "--nocapture"]);
    command.env_remove("CAIO_IMPL").env("CAIO_DEFAULT_IMPLEMENTATION", "/nonexistent").envs(variables.iter().copied());
    let output = command.output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let start = text.find("<<").unwrap_or_else(|| panic!("the child said nothing: {text}")) + 2;
    let end = text.find(">>").unwrap_or_else(|| panic!("the child said half: {text}"));
    text[start..end].to_owned()
}

#[test]
#[ignore = "the other tests run it in a process of its own"]
fn makes_a_context() {
    match Context::new() {
        Ok(ctx) => println!("<<{}>>", ctx.backend()),
        Err(error) => println!("<<{error}>>"),
    }
}

/// What forcing a backend gives.
fn forced(kind: BackendKind) -> String {
    match Context::builder().backend(kind).build() {
        Ok(ctx) => ctx.backend().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_variable_forces_a_backend() {
    for (name, kind) in [
        ("uring", BackendKind::Uring),
        ("linux", BackendKind::Aio),
        ("aio", BackendKind::Aio),
        ("thread", BackendKind::Thread),
        ("python", BackendKind::Thread),
    ] {
        assert_eq!(choice(&[("CAIO_IMPL", name)]), forced(kind), "CAIO_IMPL={name}");
    }
    let wrong = choice(&[("CAIO_IMPL", "epoll")]);
    for name in ["epoll", "uring", "linux", "aio", "thread", "python"] {
        assert!(wrong.contains(name), "{wrong:?} does not list {name}");
    }
}

#[test]
fn the_default_file_forces_a_backend() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("default_implementation");
    let path_text = path.to_str().expect("a path in UTF-8");
    std::fs::write(&path, "# the host's default\n\n  unknown\nthread\nuring\n").expect("the file is written");
    let from_file = [("CAIO_DEFAULT_IMPLEMENTATION", path_text)];
    assert_eq!(choice(&from_file), forced(BackendKind::Thread));
    let both = [("CAIO_DEFAULT_IMPLEMENTATION", path_text), ("CAIO_IMPL", "aio")];
    assert_eq!(choice(&both), forced(BackendKind::Aio), "the variable comes first");

    let automatic = choice(&[]);
    std::fs::write(&path, "# nothing\nunknown\n").expect("the file is written");
    assert_eq!(choice(&from_file), automatic, "a file that names none leaves the choice open");
}
