//! Which losses a cluster survives.

use serde::Serialize;

use super::Change;
use super::situation::{Link, Situation};
use crate::cluster::quorum;

/// How many more voters may be lost before the cluster stops; none where it has stopped (or would have) already. Voters that are
/// down count as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tolerance {
    /// As it is.
    pub now: Option<usize>,
    /// Once the change, and for a learner its promotion, is done and the newcomer lives.
    pub after: Option<usize>,
    /// The same with the newcomer dead; equal to `after` where nobody comes.
    pub newcomer_dead: Option<usize>,
}

impl Tolerance {
    /// Counts for this change.
    pub(super) fn of(situation: &Situation, change: &Change) -> Self {
        let (voters, alive) = (situation.voters().count(), situation.alive());
        let now = left(alive, voters);
        let (voters, with, without) = match change {
            Change::AddLearner(_) | Change::AddVoter(_) => (voters + 1, alive + 1, alive),
            Change::Promote(id) => match situation.get(*id) {
                Some(peer) if peer.member.learner => (voters + 1, alive + usize::from(peer.link != Link::Down), alive),
                _ => (voters, alive, alive),
            },
            Change::Remove(id) => match situation.get(*id) {
                Some(peer) if peer.member.voter() => {
                    let alive = alive - usize::from(peer.link != Link::Down);
                    (voters - 1, alive, alive)
                }
                _ => (voters, alive, alive),
            },
        };
        Self { now, after: left(with, voters), newcomer_dead: left(without, voters) }
    }

    /// Whether the cluster would stop at the loss of the newcomer, although it would not stop now. A second voter is always such a
    /// newcomer: two stop at the loss of either.
    pub fn hangs_on_newcomer(&self) -> bool {
        self.now.is_some() && self.newcomer_dead.is_none()
    }
}

/// Losses left with so many of so many voters alive.
fn left(alive: usize, voters: usize) -> Option<usize> {
    if voters == 0 { None } else { alive.checked_sub(quorum(voters)) }
}
