//! What differs between etcd versions, as far as a joining member meets it.

use crate::cluster::{Version, quorum};

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
    /// Whether a member may be added, by the strict reconfiguration check of the member that is asked, which counts the
    /// `connected` of its `voters` voters (itself included) that have been connected for `HealthInterval` = 5 s.
    ///
    /// Up to 3.5.29 and 3.6.10 every voter must be; since 3.5.30, 3.6.11 and 3.7 a quorum of what the cluster would become
    /// (etcd#21640, #21667, #21669): three voters with one down are refused by either.
    pub(super) fn may_add(self, voters: usize, connected: usize) -> bool {
        if self.counts_quorum() { voters == 1 || connected >= quorum(voters + 1) } else { connected == voters }
    }

    fn counts_quorum(self) -> bool {
        match self.line() {
            (3, 5) => self.patch >= 30,
            (3, 6) => self.patch >= 11,
            other => other >= (3, 7),
        }
    }

    /// Whether a learner may become a voter: `started` of `voters` voters have published their name. The learner counts
    /// as started without being looked at; before 3.4.16 and 3.5.0 it did not count (etcd#11640).
    pub(super) fn may_promote(self, voters: usize, started: usize) -> bool {
        let counted = if self < (Self { major: 3, minor: 4, patch: 16 }) { 0 } else { 1 };
        started + counted >= quorum(voters + 1)
    }

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
    fn the_add_matrix_of_every_version() {
        // (voters, down) -> allowed by (all must be connected, quorum of the next size).
        let matrix = [
            (1, 0, true, true),
            (2, 0, true, true),
            (3, 0, true, true),
            (3, 1, false, false),
            (4, 0, true, true),
            (4, 1, false, true),
            (4, 2, false, false),
            (5, 0, true, true),
            (5, 1, false, true),
            (5, 2, false, false),
        ];
        let old = ["3.4.23", "3.4.44", "3.5.16", "3.5.29", "3.6.0", "3.6.10"];
        let new = ["3.5.30", "3.5.35", "3.6.11", "3.6.16", "3.7.0", "3.7.3", "3.7.0-rc.1"];
        for (voters, down, all, counted) in matrix {
            for version in old {
                assert_eq!(
                    Version::parse(version).unwrap().may_add(voters, voters - down),
                    all,
                    "{version} {voters}-{down}"
                );
            }
            for version in new {
                assert_eq!(
                    Version::parse(version).unwrap().may_add(voters, voters - down),
                    counted,
                    "{version} {voters}-{down}"
                );
            }
        }
    }

    #[test]
    fn the_newcomer_counts_as_started_when_it_is_promoted() {
        assert!(Version::parse("3.5.16").unwrap().may_promote(1, 1));
        assert!(!Version::parse("3.4.15").unwrap().may_promote(1, 1));
        assert!(!Version::parse("3.5.16").unwrap().may_promote(3, 1));
    }

    #[test]
    fn newer_versions_keep_less_log() {
        assert_eq!(Version::parse("3.5.16").unwrap().first_kept(99_999), 0);
        assert_eq!(Version::parse("3.5.16").unwrap().first_kept(250_000), 195_000);
        assert!(Version::parse("3.6.13").unwrap().first_kept(400) > 0);
    }
}
