//! What differs between etcd versions in how a member is caught up and started. What is allowed is the oracle's.

use crate::cluster::Version;

/// How a member that is behind is caught up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// As the leader's version does: by the log while it still holds what is missing, else by a snapshot.
    Auto,
    /// By replaying the log, however long.
    Log,
    /// A member without data always by a snapshot.
    Snapshot,
}

impl Version {
    /// The first index that a leader at `index` still has in its log.
    ///
    /// 3.4 and 3.5 snapshot every 100,000 entries and keep 5,000 before that. Since 3.6 so little is kept that a member
    /// without data joins by snapshot even on a small cluster (measured with 400 writes).
    pub(super) fn first_kept(self, index: u64) -> u64 {
        if self.line() >= (3, 6) {
            if index <= 100 { 0 } else { index.saturating_sub(5_000).max(1) }
        } else {
            let snapshot = index / 100_000 * 100_000;
            snapshot.saturating_sub(5_000)
        }
    }

    /// Whether a starting member counts the learners of the cluster that it joins (`ValidateMaxLearnerConfig`, since 3.6).
    pub(super) fn counts_learners_at_bootstrap(self) -> bool {
        self.line() >= (3, 6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_versions_keep_less_log() {
        assert_eq!(Version::parse("3.5.16").unwrap().first_kept(99_999), 0);
        assert_eq!(Version::parse("3.5.16").unwrap().first_kept(250_000), 195_000);
        assert!(Version::parse("3.6.13").unwrap().first_kept(400) > 0);
    }
}
