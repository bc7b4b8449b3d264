//! How many syncs of a file come at about the same time, so that one call can serve them all.
//!
//! Many tasks that each write and sync fall into two groups: one whose sync runs, and one that comes too late for it and waits for the
//! next. Waiting a moment before the call, in which those who were just served come back, makes them one group, and the file
//! is synced half as often. Where they do not come back, waiting is left out for a while.

use caio_core::SharedFd;
use std::time::Duration;

/// The longest wait.
const LONGEST: Duration = Duration::from_micros(200);
/// Which part of a call's time is worth waiting.
const PART: u32 = 4;
/// How many calls are made without a wait after one in which nobody came.
const PENALTY: u16 = 32;

/// What is known of the syncs of a file; kept with the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crowd {
    /// How many tasks seem to sync it.
    size: u16,
    /// How many calls are still to be made without a wait.
    penalty: u16,
    /// How long a call takes, in microseconds.
    micros: u32,
}

impl Crowd {
    /// What is known of a file.
    pub(crate) fn of(fd: &SharedFd) -> Self {
        let bits = fd.hints().note();
        Self { size: bits as u16, penalty: (bits >> 16) as u16, micros: (bits >> 32) as u32 }
    }

    /// Keeps it with the file.
    pub(crate) fn keep(self, fd: &SharedFd) {
        fd.hints().set_note(u64::from(self.size) | u64::from(self.penalty) << 16 | u64::from(self.micros) << 32);
    }

    /// How many to wait for, and how long at most, where `here` are there already; `None` not to wait.
    pub(crate) fn patience(self, here: usize) -> Option<(usize, Duration)> {
        let wanted = usize::from(self.size);
        let worth = Duration::from_micros(u64::from(self.micros / PART)).min(LONGEST);
        (wanted > here && self.penalty == 0 && !worth.is_zero()).then_some((wanted, worth))
    }

    /// Learns from a call that served `served`, during which `came` more came, and before which some had been `wanted`.
    pub(crate) fn learn(self, served: usize, came: usize, wanted: Option<usize>, took: Duration) -> Self {
        let missed = wanted.is_some_and(|wanted| served < wanted - wanted / 4);
        let size = u16::try_from(served + came).unwrap_or(u16::MAX);
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        Self { size, penalty: if missed { PENALTY } else { self.penalty.saturating_sub(1) }, micros }
    }
}

#[cfg(test)]
mod tests {
    use super::Crowd;
    use std::time::Duration;

    const CALL: Duration = Duration::from_micros(400);

    #[test]
    fn two_groups_become_one() {
        let crowd = Crowd::default().learn(16, 16, None, CALL);
        assert_eq!(crowd.patience(16), Some((32, Duration::from_micros(100))));
        assert_eq!(crowd.patience(32), None);
        let crowd = crowd.learn(32, 0, Some(32), CALL);
        assert_eq!(crowd.patience(20), Some((32, Duration::from_micros(100))));
    }

    #[test]
    fn nobody_waits_in_vain_twice() {
        let crowd = Crowd::default().learn(16, 16, None, CALL).learn(16, 16, Some(32), CALL);
        assert_eq!(crowd.patience(16), None);
        let after = (0..32).fold(crowd, |crowd, _| crowd.learn(16, 16, None, CALL));
        assert!(after.patience(16).is_some());
    }

    #[test]
    fn one_task_never_waits() {
        assert_eq!(Crowd::default().learn(1, 0, None, CALL).patience(1), None);
        assert_eq!(Crowd::default().patience(1), None);
    }
}
