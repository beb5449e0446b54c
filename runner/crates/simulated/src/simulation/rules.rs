//! What differs between etcd versions in how a member is caught up and started. What is allowed is the oracle's.

use runner_core::cluster::Version;

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

/// The first index that a leader of this version at `index` still has in its log.
///
/// 3.4 and 3.5 snapshot every 100,000 entries and keep 5,000 before that. Since 3.6 so little is kept that a member
/// without data joins by snapshot even on a small cluster (measured with 400 writes).
pub(super) fn first_kept(leader: Version, index: u64) -> u64 {
    if leader.line() >= (3, 6) {
        if index <= 100 { 0 } else { index.saturating_sub(5_000).max(1) }
    } else {
        let snapshot = index / 100_000 * 100_000;
        snapshot.saturating_sub(5_000)
    }
}

/// Whether a starting member of this version counts the learners of the cluster that it joins (`ValidateMaxLearnerConfig`, since
/// 3.6).
pub(super) fn counts_learners_at_bootstrap(newcomer: Version) -> bool {
    newcomer.line() >= (3, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_versions_keep_less_log() {
        assert_eq!(first_kept(Version::parse("3.5.16").unwrap(), 99_999), 0);
        assert_eq!(first_kept(Version::parse("3.5.16").unwrap(), 250_000), 195_000);
        assert!(first_kept(Version::parse("3.6.13").unwrap(), 400) > 0);
    }
}
