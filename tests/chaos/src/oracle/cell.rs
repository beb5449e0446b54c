//! One cluster of the grid: it loses one voter after the other, and is asked for every change that does it no harm; at the end for one that
//! changes it for good.

use std::time::{Duration, Instant};

use runner::cluster::etcd::EtcdCluster;
use runner::cluster::oracle::{Answer, Change, Forecast, Link, Situation};
use runner::cluster::{Cluster, ClusterError, MemberId, Reason, View, quorum};
use runner_harness::{EtcdBinary, RealCluster, RealMember, Tls, eventually, free_port};

use super::ELECTION;

/// etcd's `HealthInterval`, and a little for the connections to be made.
const SETTLED: Duration = Duration::from_millis(5_500);

/// A cluster that has been up for less than this has surely not been connected for 5 s when it is asked.
const FRESH: Duration = Duration::from_secs(3);

/// More than any wait here needs, on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(60);

/// One cluster of the grid.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its place in the grid.
    pub number: u64,
    /// What it runs.
    pub binary: EtcdBinary,
    /// How many voters it has at first.
    pub voters: usize,
    /// How many of them are killed, one by one, before the last change.
    pub dead: usize,
    /// The change at the end.
    pub last: Last,
}

/// A change that cannot be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// A learner that has caught up becomes a voter.
    Promote,
    /// A voter that lives is removed.
    RemoveLiving,
    /// A voter that is dead is removed.
    RemoveDead,
}

/// One question, what the oracle said and what etcd answered.
#[derive(Debug)]
pub struct Question {
    change: Change,
    asked: &'static str,
    voters: usize,
    dead: usize,
    said: Forecast,
    answered: Result<(), Reason>,
}

impl Last {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Promote, Self::RemoveLiving, Self::RemoveDead];
}

impl Question {
    /// The kind of change, for statistics.
    pub fn kind(&self) -> &'static str {
        match self.change {
            Change::AddLearner(_) => "add a learner",
            Change::AddVoter(_) => "add a voter",
            Change::Promote(_) => "promote",
            Change::Remove(_) => "remove",
        }
    }

    /// Whether what was said is what was answered.
    pub fn agree(&self, cell: &Cell) -> Result<(), String> {
        let agree = match (self.said.answer, self.answered) {
            (Answer::Accepted, Ok(())) => true,
            (Answer::Refused(said), Err(answered)) => said == answered,
            // How etcd or we say that it took too long is not what is foretold.
            (Answer::Unanswered(_), Err(answered)) => {
                matches!(answered, Reason::RequestTimedOut | Reason::NoLeader | Reason::DeadlineExceeded)
            }
            _ => false,
        };
        if agree {
            return Ok(());
        }
        let Self { voters, dead, asked, said, answered, .. } = self;
        let (version, change) = (&cell.binary.version, &said.change);
        Err(format!(
            "etcd {version}, {dead} of {voters} voters dead, the {asked} asked to {change}: \
             said {:?} ({}), answered {answered:?}",
            said.answer, said.why
        ))
    }
}

/// A cluster under questions.
struct Trial {
    cluster: RealCluster,
    etcd: EtcdCluster,
    /// The ids of the members, in the cluster's order.
    ids: Vec<MemberId>,
    dead: Vec<usize>,
    asked: Vec<Question>,
}

impl Cell {
    /// Makes the cluster, asks, and returns all questions and answers.
    pub async fn ask(&self) -> Vec<Question> {
        let began = Instant::now();
        let cluster = RealCluster::start(self.voters, &self.binary, Tls::Off).await;
        let etcd = EtcdCluster::new(None).expect("no files to read");
        let mut ids = Vec::new();
        for member in &cluster.members {
            ids.push(etcd.status(&member.client_url).await.expect("it serves").member_id);
        }
        let mut trial = Trial { cluster, etcd, ids, dead: Vec::new(), asked: Vec::new() };
        if began.elapsed() < FRESH {
            trial.fresh().await;
        }
        tokio::time::sleep(SETTLED).await;
        let learner = match self.last {
            Last::Promote => Some(trial.learner(&self.binary).await),
            _ => None,
        };
        for dead in 0..=self.dead {
            if dead > 0 {
                trial.kill(self.number as usize + dead).await;
            }
            trial.harmless(learner.is_none()).await;
        }
        let last = match self.last {
            Last::Promote => Change::Promote(learner.as_ref().map(|(id, _)| *id).expect("it was made")),
            Last::RemoveLiving => Change::Remove(trial.ids[trial.follower().await]),
            Last::RemoveDead => Change::Remove(trial.ids[trial.dead[0]]),
        };
        trial.put(last, true).await;
        // With one more dead the quorum is gone, and nothing can be changed any more.
        if self.last == Last::Promote && self.voters > 1 {
            trial.without_quorum().await;
        }
        trial.asked
    }
}

impl Trial {
    /// A learner that is started and has caught up.
    async fn learner(&mut self, binary: &EtcdBinary) -> (MemberId, ()) {
        let mut learner = RealMember::plan("learner", binary, self.cluster.scratch.path(), Tls::Off, &[]);
        let leader = self.leader_url().await;
        let add = || self.etcd.add_learner(&leader, std::slice::from_ref(&learner.peer_url));
        let id = eventually("the learner to be added", LONG, || async { add().await.map_err(|e| e.to_string()) }).await;
        let mut list = self.cluster.initial_cluster();
        list.push((learner.name.clone(), learner.peer_url.clone()));
        learner.bootstrap(&list, "existing");
        learner.start();
        let url = learner.client_url.clone();
        let etcd = &self.etcd;
        let caught_up = async || {
            let (own, leader) = (etcd.status(&url).await, etcd.status(&leader).await);
            match (own, leader) {
                (Ok(own), Ok(leader)) if own.raft_applied_index >= leader.raft_index => Ok(()),
                other => Err(format!("{other:?}")),
            }
        };
        eventually("the learner to catch up", LONG, caught_up).await;
        self.cluster.members.push(learner);
        self.ids.push(id);
        (id, ())
    }

    /// Kills a voter: the leader and another one in turn.
    async fn kill(&mut self, turn: usize) {
        let victim = if turn.is_multiple_of(2) { self.cluster.leader().await } else { self.follower().await };
        self.cluster.kill(victim);
        self.dead.push(victim);
        tokio::time::sleep(Duration::from_millis(500)).await;
        self.cluster.leader().await;
    }

    /// A voter that lives and does not lead; the leader where it is alone.
    async fn follower(&self) -> usize {
        let leader = self.cluster.leader().await;
        let voters = self.ids.len() - usize::from(self.cluster.members.iter().any(|m| m.name == "learner"));
        (0..voters).find(|n| *n != leader && !self.dead.contains(n)).unwrap_or(leader)
    }

    async fn leader_url(&self) -> String {
        self.cluster.members[self.cluster.leader().await].client_url.clone()
    }

    /// Everything that is refused, and what can be taken back at once. A learner's place must be free for an add.
    async fn harmless(&mut self, place_free: bool) {
        let url = || vec![format!("http://127.0.0.1:{}", free_port())];
        let used = vec![self.cluster.members[0].peer_url.clone()];
        for leads in [true, false] {
            self.ask_if_refused(Change::AddLearner(used.clone()), leads).await;
            self.ask_if_refused(Change::AddLearner(vec!["10.0.0.1".to_owned()]), leads).await;
            self.ask_if_refused(Change::AddVoter(url()), leads).await;
            self.ask_if_refused(Change::Promote(MemberId(0xdead)), leads).await;
            let voter = self.ids[self.follower().await];
            self.ask_if_refused(Change::Promote(voter), leads).await;
            self.ask_if_refused(Change::Remove(MemberId(0xdead)), leads).await;
            self.ask_if_refused(Change::Remove(voter), leads).await;
            if !place_free {
                self.ask_if_refused(Change::AddLearner(url()), leads).await;
                continue;
            }
            let urls = url();
            if self.put(Change::AddLearner(urls.clone()), leads).await {
                let list = self.etcd.member_list(&self.leader_url().await).await.expect("a quorum");
                let id = list.by_peer_urls(&urls).expect("it was added").id;
                self.ask_if_refused(Change::AddLearner(url()), leads).await;
                self.ask_if_refused(Change::Promote(id), leads).await;
                assert!(self.put(Change::Remove(id), leads).await, "a learner can always go");
            }
        }
    }

    /// Asks for a member while nobody has been connected for 5 s, as right after a join.
    async fn fresh(&mut self) {
        let mut situation = self.situation(true).await;
        let asked = situation.asked;
        situation.members.iter_mut().filter(|m| Some(m.member.id) != asked).for_each(|m| m.link = Link::Fresh);
        let change = Change::AddLearner(vec![format!("http://127.0.0.1:{}", free_port())]);
        if matches!(Forecast::of(&situation, &change).answer, Answer::Refused(_)) {
            let answered = self.request(&self.leader_url().await, &change).await;
            self.note("leader", &situation, change, answered);
        }
    }

    /// Kills voters until there is no quorum, and asks again.
    async fn without_quorum(&mut self) {
        let before = self.situation(true).await;
        let voters = before.members.iter().filter(|m| m.member.voter()).count();
        while voters - self.dead.len() >= quorum(voters) {
            let victim = self.follower().await;
            self.cluster.kill(victim);
            self.dead.push(victim);
            tokio::time::sleep(ELECTION).await;
            if voters - self.dead.len() >= quorum(voters) {
                self.cluster.leader().await;
            }
        }
        let dead: Vec<MemberId> = self.dead.iter().map(|n| self.ids[*n]).collect();
        let Some(living) = (0..self.ids.len()).find(|n| !self.dead.contains(n)) else { return };
        let situation = Situation { asked: Some(self.ids[living]), leader: None, ..before.without(&dead) };
        let url = self.cluster.members[living].client_url.clone();
        let add = Change::AddLearner(vec![format!("http://127.0.0.1:{}", free_port())]);
        for change in [add, Change::Promote(MemberId(0xdead)), Change::Remove(dead[0])] {
            let answered = self.request(&url, &change).await;
            self.note("member without a leader", &situation, change, answered);
        }
    }

    /// Asks where a refusal is foretold: what is accepted would change the cluster.
    async fn ask_if_refused(&mut self, change: Change, leads: bool) {
        let situation = self.situation(leads).await;
        let answer = Forecast::of(&situation, &change).answer;
        if matches!(answer, Answer::Refused(_)) {
            self.put(change, leads).await;
        }
    }

    /// Asks the leader or another voter; whether it was accepted.
    async fn put(&mut self, change: Change, leads: bool) -> bool {
        let situation = self.situation(leads).await;
        let asked = situation.asked.expect("there is a leader");
        let place = self.ids.iter().position(|id| *id == asked).expect("it is of the cluster");
        let url = self.cluster.members[place].client_url.clone();
        let answered = self.request(&url, &change).await;
        let accepted = answered.is_ok();
        let who = if situation.asked == situation.leader { "leader" } else { "follower" };
        self.note(who, &situation, change, answered);
        accepted
    }

    fn note(&mut self, asked: &'static str, situation: &Situation, change: Change, answered: Result<(), ClusterError>) {
        let voters = situation.members.iter().filter(|m| m.member.voter()).count();
        let said = Forecast::of(situation, &change);
        let answered = answered.map_err(|e| e.reason);
        self.asked.push(Question { change, asked, voters, dead: self.dead.len(), said, answered });
    }

    /// What runner sees of the cluster; for the question put to another voter, as that one sees it.
    async fn situation(&self, leads: bool) -> Situation {
        let seen = async || {
            let view = View::observe(&self.etcd, &self.cluster.endpoints()).await.map_err(|e| e.to_string())?;
            view.membership_endpoint().map(drop).map_err(|e| e.to_string())?;
            Ok::<_, String>(view)
        };
        let mut situation = Situation::of(&eventually("a leader", LONG, seen).await);
        if !leads {
            situation.asked = Some(self.ids[self.follower().await]);
        }
        situation
    }

    async fn request(&self, url: &str, change: &Change) -> Result<(), ClusterError> {
        match change {
            Change::AddLearner(urls) => self.etcd.add_learner(url, urls).await.map(drop),
            Change::AddVoter(urls) => add_voter(url, urls).await,
            Change::Promote(id) => self.etcd.promote(url, *id).await,
            Change::Remove(id) => self.etcd.remove(url, *id).await,
        }
    }
}

/// The call that runner never makes.
async fn add_voter(url: &str, urls: &[String]) -> Result<(), ClusterError> {
    let mut client = etcd_client::Client::connect([url], None).await.expect("it serves");
    client.member_add(urls, None).await.map(drop).map_err(|error| match error {
        etcd_client::Error::GRpcStatus(status) => {
            let reason = Reason::from_message(status.message()).unwrap_or(Reason::Other);
            ClusterError::new(reason, status.message(), url)
        }
        other => ClusterError::new(Reason::Other, other.to_string(), url),
    })
}
