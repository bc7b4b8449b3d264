//! What an operation of each route was counted to cost, and by how much it may come to cost more.

/// How much more of what is recorded a gate lets pass: compilers differ a little from version to version.
pub(crate) const ALLOWANCE: f64 = 1.10;

/// What one operation of a route costs, with a buffer that is used again, on one core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// What `steady` calls the route.
    pub(crate) route: &'static str,
    /// By how many operations the runs differ that are compared.
    pub(crate) operations: u32,
    /// Instructions outside the kernel, all threads together, as recorded.
    pub(crate) instructions: f64,
    /// System calls that do the work, as recorded.
    pub(crate) calls: f64,
    /// The most system calls that put a thread to sleep or wake one: how many there are depends on timing, so that this is
    /// what the route is meant to cost at worst, and is not recorded.
    pub(crate) most_waits: f64,
    /// What the figures stand for.
    pub(crate) what: &'static str,
}

/// All gates. `cargo xtask gates --record` writes the recorded figures.
pub(crate) const COSTS: &[Cost] = &[
    Cost {
        route: "cached-inline",
        operations: 4096,
        instructions: 589.0,
        calls: 1.0,
        most_waits: 0.1,
        what: "io_uring, cached read: preadv2 in the first poll, nobody to wait for",
    },
    Cost {
        route: "cached-thread",
        operations: 4096,
        instructions: 585.0,
        calls: 1.0,
        most_waits: 0.1,
        what: "threads, cached read: the same",
    },
    Cost {
        route: "cached-ring",
        operations: 4096,
        instructions: 2599.0,
        calls: 1.0,
        most_waits: 0.1,
        what: "io_uring, cached read forced through the ring: it has ended when io_uring_enter returns",
    },
    Cost {
        route: "direct-ring-d1",
        operations: 512,
        instructions: 2844.0,
        calls: 1.02,
        most_waits: 0.5,
        what: "io_uring, O_DIRECT read: io_uring_enter; it has ended before anybody asks, so that nobody sleeps",
    },
    Cost {
        route: "direct-ring-d32",
        operations: 4096,
        instructions: 3110.0,
        calls: 1.5,
        most_waits: 4.5,
        what: "io_uring, O_DIRECT reads, 32 in flight: io_uring_enter; most end while others are submitted",
    },
    Cost {
        route: "direct-aio",
        operations: 512,
        instructions: 3532.0,
        calls: 2.6,
        most_waits: 4.5,
        what: "kernel AIO, O_DIRECT read: io_submit and io_getevents; the reaper may ask as well",
    },
    Cost {
        route: "write-pool",
        operations: 4096,
        instructions: 3651.0,
        calls: 1.0,
        most_waits: 4.5,
        what: "threads, buffered write: pwrite in a worker; the future and the worker sleep and are woken once each",
    },
];

/// The text of this file with other figures recorded: those that follow the line of their route.
pub(crate) fn recorded(text: &str, route: &str, instructions: f64, calls: f64) -> String {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        match line.trim_start().split_once(": ") {
            Some(("route", value)) => inside = value == format!("\"{route}\","),
            Some(("instructions", _)) if inside => {
                lines.push(format!("{indent}instructions: {instructions:.1},"));
                continue;
            }
            Some(("calls", _)) if inside => {
                lines.push(format!("{indent}calls: {calls:?},"));
                continue;
            }
            _ => {}
        }
        lines.push(line.to_owned());
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recording_changes_the_figures_of_one_route() {
        let text = include_str!("ceilings.rs");
        let changed = recorded(text, "direct-aio", 1234.4, 1.5);
        let differing: Vec<_> = text.lines().zip(changed.lines()).filter(|(old, new)| old != new).collect();
        let new: Vec<_> = differing.iter().map(|(_, new)| new.trim()).collect();
        assert_eq!(new, ["instructions: 1234.4,", "calls: 1.5,"]);
        assert_eq!(text.lines().count(), changed.lines().count());
    }

    #[test]
    fn recording_the_same_figures_changes_nothing() {
        let text = include_str!("ceilings.rs");
        let again =
            COSTS.iter().fold(text.to_owned(), |text, cost| recorded(&text, cost.route, cost.instructions, cost.calls));
        assert_eq!(again, text);
    }

    #[test]
    fn every_route_has_one_gate() {
        let mut routes: Vec<_> = COSTS.iter().map(|cost| cost.route).collect();
        routes.sort_unstable();
        routes.dedup();
        assert_eq!(routes.len(), COSTS.len());
    }
}
