//! Tells which backends can be used on this host, and what to do about those that cannot.
//!
//! `cargo run --release --example doctor`

use caio::{Context, Probe};

/// One cell's text broken into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        if lines.last().is_some_and(|line| !line.is_empty() && line.len() + 1 + word.len() > width) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// Prints one backend's row.
fn print_row(probe: &Probe) {
    let (reason, remedy) = match probe.refusal() {
        None => (String::from("works"), String::new()),
        Some(refusal) => (format!("{}: {}", refusal.step(), refusal.reason()), refusal.remedy().to_owned()),
    };
    let (reason, remedy) = (wrap(&reason, 34), wrap(&remedy, 56));
    let name = probe.backend().to_string();
    let usable = if probe.is_usable() { "yes" } else { "no" };
    for line in 0..reason.len().max(remedy.len()) {
        let (name, usable) = if line == 0 { (name.as_str(), usable) } else { ("", "") };
        let cell = |cells: &[String]| cells.get(line).cloned().unwrap_or_default();
        println!("| {name:<8} | {usable:<6} | {:<34} | {:<56} |", cell(&reason), cell(&remedy));
    }
}

/// Prints the system's version and its settings that matter, where there are any.
fn print_host() {
    let settings = [
        ("kernel", "/proc/sys/kernel/osrelease"),
        ("kernel.io_uring_disabled", "/proc/sys/kernel/io_uring_disabled"),
        ("fs.aio-nr", "/proc/sys/fs/aio-nr"),
        ("fs.aio-max-nr", "/proc/sys/fs/aio-max-nr"),
    ];
    for (name, path) in settings {
        if let Ok(value) = std::fs::read_to_string(path) {
            println!("{name} = {}", value.trim());
        }
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    for line in
        limits.lines().filter(|line| line.starts_with("Max locked memory") || line.starts_with("Max open files"))
    {
        println!("{}", line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"])) {
        println!("a seccomp filter is in force, as in a container");
    }
}

fn main() {
    print_host();
    println!();
    println!("| {:<8} | {:<6} | {:<34} | {:<56} |", "backend", "usable", "why", "what to do");
    println!("|{}|{}|{}|{}|", "-".repeat(10), "-".repeat(8), "-".repeat(36), "-".repeat(58));
    caio::probe().iter().for_each(print_row);
    println!();
    match Context::new() {
        Ok(ctx) => println!("a new context uses: {}", ctx.backend()),
        Err(error) => {
            println!("no context can be made: {error}");
            std::process::exit(1);
        }
    }
}
