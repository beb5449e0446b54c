//! The strict reconfiguration check (`--strict-reconfig-check`, on by default), by version, as numbers.

use crate::cluster::{Version, quorum};

impl Version {
    /// Whether a member may be added, by the count of the `connected` of the `voters` voters (the asked one included) that have
    /// been connected for `HealthInterval` = 5 s.
    ///
    /// Up to 3.5.29 and 3.6.10 every voter must be; since 3.5.30, 3.6.11 and 3.7 a quorum of what the cluster would become
    /// (etcd#21640, #21667, #21669): three voters with one down are refused by either.
    pub(super) fn may_add(self, voters: usize, connected: usize) -> bool {
        if self.counts_quorum() { voters == 1 || connected >= quorum(voters + 1) } else { connected >= voters }
    }

    /// Whether it counts a quorum of connected voters, where an older release asks for all.
    pub(super) fn counts_quorum(self) -> bool {
        match self.line() {
            (3, 5) => self.patch >= 30,
            (3, 6) => self.patch >= 11,
            other => other >= (3, 7),
        }
    }

    /// Whether a learner may become a voter: `started` of `voters` voters have published their name. The learner counts
    /// as started without being looked at; before 3.4.16 it did not count (etcd#11640).
    pub(super) fn may_promote(self, voters: usize, started: usize) -> bool {
        let counted = if self < (Self { major: 3, minor: 4, patch: 16 }) { 0 } else { 1 };
        started + counted >= quorum(voters + 1)
    }
}

/// Whether a voter may be added as such (`IsReadyToAddVotingMember`): the new one is not started. One started voter alone may get a
/// second, or no cluster could ever grow.
pub(super) fn may_add_voter(voters: usize, started: usize) -> bool {
    (voters, started) == (1, 1) || started >= quorum(voters + 1)
}

/// Whether a voter may go, by who has started (`IsReadyToRemoveVotingMember`): of the `others` voters, `started` have. The last
/// one may not.
pub(super) fn may_lose_started(others: usize, started: usize) -> bool {
    others > 0 && started >= quorum(others)
}

/// Whether a voter that is connected may go, by how many stay connected (`mayRemoveMember`): of `voters` voters, `connected` have
/// been for 5 s.
pub(super) fn may_lose_active(voters: usize, connected: usize) -> bool {
    connected.saturating_sub(1) > voters.saturating_sub(1) / 2
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
            for (versions, allowed) in [(&old[..], all), (&new[..], counted)] {
                for text in versions {
                    let version = Version::parse(text).unwrap();
                    assert_eq!(version.may_add(voters, voters - down), allowed, "{version} {voters}-{down}");
                }
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
    fn who_may_go() {
        assert!(!may_lose_started(0, 0), "the last voter");
        assert!(may_lose_started(1, 1) && !may_lose_started(3, 1));
        assert!(may_lose_active(2, 2) && may_lose_active(3, 3) && !may_lose_active(3, 2) && may_lose_active(4, 4));
    }

    #[test]
    fn a_voter_is_added_where_the_started_are_enough() {
        assert!(may_add_voter(1, 1) && may_add_voter(2, 2) && may_add_voter(3, 3));
        assert!(!may_add_voter(2, 1) && !may_add_voter(1, 0));
    }
}
