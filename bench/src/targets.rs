//! What the library has to reach, as `targets.toml` says it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// All targets.
pub static TARGETS: LazyLock<Targets> = LazyLock::new(|| {
    toml::from_str(include_str!("../targets.toml")).expect("targets.toml is as it was when it was tested")
});

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// For what is held.
    pub held: HeldTargets,
    /// For each workload, by name.
    workloads: BTreeMap<String, Vec<Target>>,
}

/// What holding a context may cost.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HeldTargets {
    /// What its resident memory has to stay below.
    pub resident_kib: f64,
    /// How often other threads wake up in an idle second.
    pub idle_switches: u64,
}

/// A bound on a ratio of medians.
#[derive(Deserialize)]
pub struct Target {
    /// Whose ratio: a row's id, or [`AUTOMATIC`].
    pub who: String,
    /// The ratio of what.
    #[serde(default, rename = "of")]
    pub property: Property,
    /// The ratio to what.
    pub against: Against,
    /// The bound.
    #[serde(flatten)]
    pub bound: Bound,
}

/// The rows whose backend was chosen automatically.
pub const AUTOMATIC: &str = "automatic";
/// The quickest row that is a library.
pub const BEST_PEER: &str = "best-peer";
/// The quickest row that is a library, without those that run one independent runtime on each of several threads.
pub const BEST_SINGLE: &str = "best-single";

/// Which property a target bounds.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// Wall time an operation.
    #[default]
    Time,
    /// CPU time an operation.
    Cpu,
}

/// What a target compares with.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Against {
    /// A row's id, [`BEST_PEER`] or [`BEST_SINGLE`].
    One(String),
    /// The quickest of these rows.
    BestOf(Vec<String>),
}

/// How a target is worded.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// At most so many times what it is compared with.
    AtMost(f64),
    /// At least so many times faster.
    Faster(f64),
}

impl Bound {
    /// Whether a ratio meets it, to the two decimals that are shown.
    pub fn is_met(self, ratio: f64) -> bool {
        let cents = |value: f64| (value * 100.0).round();
        match self {
            Self::AtMost(most) => cents(ratio) <= cents(most),
            Self::Faster(factor) => cents(1.0 / ratio) >= cents(factor),
        }
    }
}

impl Targets {
    /// Those of a workload.
    pub fn of(&self, workload: &str) -> &[Target] {
        self.workloads.get(workload).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::{Against, TARGETS};
    use crate::plan::WORKLOADS;

    #[test]
    fn every_target_is_about_workloads_and_rows_that_there_are() {
        let ids: Vec<_> = crate::peers::all().iter().map(|peer| peer.id).collect();
        let known = |id: &String| {
            ids.contains(&id.as_str()) || ["automatic", "best-peer", "best-single"].contains(&id.as_str())
        };
        for (name, targets) in &TARGETS.workloads {
            assert!(WORKLOADS.iter().any(|workload| workload.name == name), "{name}");
            for target in targets {
                let against = match &target.against {
                    Against::One(id) => std::slice::from_ref(id),
                    Against::BestOf(ids) => ids,
                };
                // The library and its peers may be left out of a build.
                let all_built = crate::peers::left_out().is_empty();
                assert!(!all_built || known(&target.who) && against.iter().all(known), "{name}: {}", target.who);
            }
        }
    }
}
