//! Actors as rude as life: they use our peer URL, promote our learner, remove it, wipe this node and join it by other means, take its power,
//! its disk or its cable, at every call of a run, with the runner alive or dead. Then somebody obeys what the run has printed, until it is
//! at its end. The judge looks after every step.

use std::time::Duration;

use crate::{By, Incident, Moment, MutationKind, Op, Simulation, When};
use runner_core::cluster::remedy::{Only, Remedy};
use runner_core::cluster::{Cluster as _, MemberId, quorum};
use runner_core::pipeline::{Conclusion, DataDir, Operation};

use crate::world::{NODE, World, virtually};
use runner_core::terms::Outcome;

/// Who meddles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Adds a learner of its own, which never starts.
    AddsALearner,
    /// Adds a learner with our peer URL.
    TakesOurUrl,
    /// Promotes our learner.
    Promotes,
    /// Removes our learner.
    Removes,
    /// Wipes this node and joins it by other means.
    Rejoins,
    /// Kills our etcd and removes its data.
    Wipes,
    /// Kills our etcd.
    Kills,
    /// Lets our disk hang.
    Freezes,
    /// Cuts our cable.
    Cuts,
    /// Lets a voter be out of reach for the runner, and for nobody else.
    Hides,
    /// Kills a voter.
    KillsAVoter,
    /// Kills the leader.
    KillsTheLeader,
    /// Takes the power of all machines, and gives it back to all but ours.
    TakesAllPower,
    /// Ends the lease of the join lock.
    TakesTheLock,
}

impl Actor {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::AddsALearner,
        Self::TakesOurUrl,
        Self::Promotes,
        Self::Removes,
        Self::Rejoins,
        Self::Wipes,
        Self::Kills,
        Self::Freezes,
        Self::Cuts,
        Self::Hides,
        Self::KillsAVoter,
        Self::KillsTheLeader,
        Self::TakesAllPower,
        Self::TakesTheLock,
    ];

    fn incidents(self, voters: usize) -> Vec<Incident> {
        let (node, voter) = (NODE.to_owned(), format!("node-{voters}"));
        match self {
            Self::AddsALearner => vec![Incident::RivalAdds],
            Self::TakesOurUrl => vec![Incident::TakesUrlOf(node)],
            Self::Promotes => vec![Incident::RivalPromotes],
            Self::Removes => vec![Incident::RivalRemoves],
            Self::Rejoins => vec![Incident::RejoinedByOthers(node)],
            Self::Wipes => vec![Incident::Wipe(node)],
            Self::Kills => vec![Incident::CrashNewcomer],
            Self::Freezes => vec![Incident::Freeze(node)],
            Self::Cuts => vec![Incident::Split(vec![node])],
            Self::Hides => vec![Incident::Hide(vec![voter])],
            Self::KillsAVoter => vec![Incident::Crash(voter)],
            Self::KillsTheLeader => vec![Incident::CrashLeader],
            Self::TakesAllPower => {
                let all = (1..=voters).map(|n| Incident::Crash(format!("node-{n}")));
                all.chain([Incident::CrashNewcomer]).collect()
            }
            Self::TakesTheLock => vec![Incident::LockLost],
        }
    }

    /// Whether it takes the newcomer away, in whatever way.
    fn hurts_newcomer(self) -> bool {
        matches!(self, Self::Wipes | Self::Kills | Self::Freezes | Self::Cuts | Self::TakesAllPower)
    }

    /// How many voters it takes away.
    fn voters_taken(self, voters: usize) -> usize {
        match self {
            Self::KillsAVoter | Self::KillsTheLeader => 1,
            Self::TakesAllPower => voters,
            _ => 0,
        }
    }
}

/// One schedule.
#[derive(Clone, Copy, Debug)]
pub struct Rude {
    /// The cluster's etcd.
    pub version: &'static str,
    /// Its voters.
    pub voters: usize,
    /// How many of them are down all the time.
    pub down: usize,
    /// Whether clients write.
    pub busy: bool,
    /// Who meddles.
    pub actor: Actor,
    /// Before which call of the run.
    pub call: u64,
    /// Whether the runner dies in that call, and what is run then.
    pub dies: Option<Operation>,
}

impl Rude {
    fn world(self, meddles: bool) -> World {
        let rate = if self.busy { 200 } else { 0 };
        let mut faults = crate::Faults::none();
        if meddles {
            for incident in self.actor.incidents(self.voters) {
                faults = faults.when(When::AnyCall(self.call as usize), incident);
            }
        }
        let builder = Simulation::builder().version(self.version).voters(self.voters).write_rate(rate);
        World::new(builder.faults(faults).seed(7))
    }

    /// Voters that are down from the beginning: none that leads.
    async fn take_down(self, world: &World) {
        for n in 0..self.down {
            world.simulation.incident(Incident::Crash(format!("node-{}", self.voters - 1 - n)));
        }
        if self.down > 0 {
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
    }

    /// How many calls the run makes when nobody meddles; none where it is refused.
    pub fn calls(self) -> Option<u64> {
        let world = self.world(false);
        let end = virtually(async {
            self.take_down(&world).await;
            world.run(Operation::Join).await
        });
        (end.outcome == Outcome::Joined).then(|| world.simulation.calls())
    }

    /// Runs it to its end, obeying what is printed; says how it ended, or what is wrong.
    pub fn ends_well(self) -> Result<Outcome, String> {
        let world = self.world(true);
        let ended = virtually(self.play(&world));
        ended.map_err(|what| format!("{self:?}: {what}\n{}", world.story()))
    }

    async fn play(self, world: &World) -> Result<Outcome, String> {
        self.take_down(world).await;
        let mut last = match self.dies {
            None => Some(world.run(Operation::Join).await),
            Some(_) => world.run_until_crash(Operation::Join, self.call, Moment::After).await,
        };
        let mut obeyed = Vec::new();
        self.look(world, last.as_ref(), &obeyed)?;
        // Life goes on: what was hurt comes back, and nobody starts this node's etcd.
        tokio::time::sleep(Duration::from_secs(20)).await;
        self.heal(world);
        tokio::time::sleep(Duration::from_secs(20)).await;
        for _ in 0..6 {
            if !world.unfinished() {
                break;
            }
            let printed = match &last {
                Some(end) => end.hints.iter().flat_map(|hint| Remedy::read(hint)).collect(),
                // Nobody heard it end: `runner status` names both.
                None => vec![if self.dies == Some(Operation::Rollback) { Remedy::Rollback } else { Remedy::Resume }],
            };
            // The way out for those whose cluster is gone comes before trying for ever.
            let printed: Vec<Remedy> = printed;
            let gone = |remedy: &&Remedy| matches!(remedy, Remedy::Abandon { .. }) && self.applies(world, remedy);
            let next = printed.iter().find(gone).or_else(|| printed.iter().find(|remedy| self.applies(world, remedy)));
            let Some(remedy) = next.cloned() else {
                return Err(format!("the run is not at its end, and nothing tells how to end it: {last:?}"));
            };
            match remedy {
                Remedy::Resume => last = Some(world.run(Operation::Resume).await),
                Remedy::Rollback => last = Some(world.run(Operation::Rollback).await),
                Remedy::Start => {
                    world.start().await.map_err(|failure| format!("`runner start`: {failure:?}"))?;
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    // It is said beside the command that goes on.
                    last = Some(world.run(Operation::Resume).await);
                }
                Remedy::Abandon { .. } => {
                    world.abandon();
                    break;
                }
                Remedy::RemoveMember { id, .. } => {
                    obeyed.push(id);
                    remove(world, id).await;
                    last = Some(world.run(Operation::Rollback).await);
                }
                Remedy::MoveAside { .. } => {
                    world.simulation.set_data_dir(NODE, DataDir::Absent);
                    last = Some(world.run(Operation::Rollback).await);
                }
            }
            self.look(world, last.as_ref(), &obeyed)?;
            self.heal(world);
        }
        if world.unfinished() {
            return Err(format!("obeyed six times, and the run is not at its end: {last:?}"));
        }
        let Some(end) = last else { return Ok(Outcome::Joined) };
        // What a finished run advises is obeyed, too, where it applies.
        for remedy in end.hints.iter().flat_map(|hint| Remedy::read(hint)) {
            if let (true, Remedy::RemoveMember { id, .. }) = (self.applies(world, &remedy), &remedy) {
                obeyed.push(*id);
                remove(world, *id).await;
                self.look(world, None, &obeyed)?;
            }
        }
        Ok(end.outcome)
    }

    fn heal(self, world: &World) {
        for incident in [Incident::Heal, Incident::Thaw, Incident::Show] {
            world.simulation.incident(incident);
        }
        for n in 1..=self.voters {
            world.simulation.incident(Incident::Restart(format!("node-{n}")));
        }
    }

    /// Whether what must be the case first, by the remedy's own words, is the case.
    fn applies(self, world: &World, remedy: &Remedy) -> bool {
        let list = world.simulation.members();
        match remedy {
            Remedy::Resume | Remedy::Rollback => true,
            Remedy::Start => {
                !world.simulation.runs(NODE) && matches!(world.simulation.data_dir(NODE), DataDir::Member { .. })
            }
            // A voter that was wiped takes its cluster with it where the others are no quorum.
            Remedy::Abandon { .. } => self.actor == Actor::Wipes && world.simulation.leader().is_none(),
            Remedy::RemoveMember { id, only } => match (list.get(*id), only) {
                (None, _) => false,
                (Some(member), Only::Learner) => member.learner,
                (Some(member), Only::NobodyJoins) => member.learner && !member.started(),
                (Some(member), Only::NotStarted) => !member.started(),
                // Only what was wiped is gone for good.
                (Some(_), Only::GoneForGood) => self.gone_for_good(world, *id),
                (Some(_), Only::NotInUse | Only::ClusterGone) => false,
                (Some(_), Only::Always) => true,
            },
            Remedy::MoveAside { only, .. } => *only == Only::Always || !world.simulation.runs(NODE),
        }
    }

    /// Whether nobody has this member's data any more.
    fn gone_for_good(self, world: &World, id: MemberId) -> bool {
        let ours = world.simulation.added().contains(&id);
        let there = matches!(world.simulation.data_dir(NODE), DataDir::Member { member_id, .. } if member_id == id);
        self.actor == Actor::Wipes && ours && !there
    }

    /// The judge.
    fn look(self, world: &World, end: Option<&Conclusion>, obeyed: &[MemberId]) -> Result<(), String> {
        let changes = world.simulation.mutations();
        let list = world.simulation.members();
        // Nobody's voter is removed, and nobody's member that the run did not add.
        for change in changes.iter().filter(|m| m.kind == MutationKind::Removed && m.by == By::Runner) {
            let of = |kind, by| changes.iter().any(|m| m.id == change.id && m.kind == kind && m.by == by);
            if obeyed.contains(&change.id) {
                continue;
            }
            // A learner at our URL that never started cannot be told from an add of ours without an answer.
            let took_our_url = self.actor == Actor::TakesOurUrl && !of(MutationKind::Promoted, By::Rival);
            if !of(MutationKind::Added, By::Runner) && !took_our_url {
                return Err(format!("removed {}, which it had not added", change.id));
            }
            if of(MutationKind::Promoted, By::Rival) {
                return Err(format!("removed {}, which somebody else had made a voter", change.id));
            }
        }
        for id in obeyed {
            let had_a_vote = changes.iter().any(|m| m.id == *id && m.kind == MutationKind::Promoted);
            if had_a_vote && !self.gone_for_good(world, *id) {
                return Err(format!("a remedy that was obeyed removed {id}, which had a vote"));
            }
        }
        let gone = world.simulation.baseline().members.into_iter().find(|m| list.get(m.id).is_none());
        if let Some(lost) = gone {
            return Err(format!("a voter that was there before is gone: {lost:?}"));
        }
        // What others have put on this node stays: its vote, its data, its process.
        for (node, id) in world.simulation.rejoined() {
            let its = DataDir::Member { cluster_id: list.cluster_id, member_id: id };
            let voter = list.get(id).is_some_and(|m| m.voter());
            if !voter || world.simulation.data_dir(&node) != its || !world.simulation.runs(&node) {
                return Err(format!("{id}, which others had put on {node}, was touched"));
            }
        }
        self.quorum(world)?;
        match end {
            // What is wiped after the last look is not seen by it.
            Some(end) if end.outcome == Outcome::Joined && self.actor == Actor::Wipes => Ok(()),
            Some(end) => truth(world, end),
            None => Ok(()),
        }
    }

    /// No quorum is lost but by the schedule itself, or in the one case that cannot be excluded.
    fn quorum(self, world: &World) -> Result<(), String> {
        let lost = world.simulation.quorum_lost();
        let left = self.voters.saturating_sub(self.down + self.actor.voters_taken(self.voters));
        if lost.is_zero() || left < quorum(self.voters) {
            return Ok(());
        }
        // A voter that dies after the newcomer got its vote may be one too many for the larger cluster; so may the newcomer.
        let calls = world.simulation.trace();
        let proven = calls.iter().find(|call| call.op == Op::Propose).map(|call| call.number);
        let after_the_proof = proven.is_some_and(|number| self.call > number);
        let promoted_by_others =
            world.simulation.mutations().iter().any(|m| m.kind == MutationKind::Promoted && m.by == By::Rival);
        let hurt = self.actor.hurts_newcomer() || self.actor.voters_taken(self.voters) > 0;
        if hurt && (after_the_proof || promoted_by_others) && left < quorum(self.voters + 1) {
            return Ok(());
        }
        Err(format!("the quorum was lost for {lost:?}"))
    }
}

/// What the run says must be so.
fn truth(world: &World, end: &Conclusion) -> Result<(), String> {
    let list = world.simulation.members();
    let ours = world.simulation.added();
    let left: Vec<_> = list.members.iter().filter(|m| ours.contains(&m.id)).collect();
    match end.outcome {
        Outcome::Joined => {
            let DataDir::Member { member_id, .. } = world.simulation.data_dir(NODE) else {
                return Err(format!("said joined, and there is no member's data: {end:?}"));
            };
            match list.get(member_id) {
                Some(member) if member.voter() => Ok(()),
                other => Err(format!("said joined, and is {other:?}")),
            }
        }
        Outcome::Stuck | Outcome::Interrupted => {
            if end.hints.is_empty() {
                Err(format!("stuck without a hint: {end:?}"))
            } else {
                Ok(())
            }
        }
        Outcome::Overtaken if left.iter().any(|m| m.learner) && !end.message.contains("etcdctl member remove") => {
            Err(format!("said overtaken, and left {left:?}: {end:?}"))
        }
        Outcome::Overtaken => Ok(()),
        // Everything else says that it is undone, or that nothing was changed.
        _ if !left.is_empty() => Err(format!("said undone, and left {left:?}: {end:?}")),
        _ => Ok(()),
    }
}

/// As a person with etcdctl.
async fn remove(world: &World, id: MemberId) {
    for endpoint in world.simulation.endpoints() {
        if world.simulation.cluster().remove(&endpoint, id).await.is_ok() {
            return;
        }
    }
}
