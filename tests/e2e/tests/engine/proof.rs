//! The proof before the promotion, with real etcd on hosts: a learner that nobody can reach any more gets no vote, however quiet the cluster.

use std::time::Duration;

use etcd_client::Client;
use runner_harness::{
    Family, Host, Network, Node, RealMember, SOON, Scratch, Spawned, Tls, eventually, in_a_network_of_its_own, newest,
};

/// A write must be possible within this, or the cluster has lost its quorum.
const WRITE: Duration = Duration::from_secs(5);

/// How long the learner has to be steady: long enough that a busy machine cuts the link before, and not after, the promotion.
const STEADY: &str = "7s";

/// A cluster of one voter that nobody writes to, and a join on another host, which waits for a long stretch of steadiness.
struct Scene {
    voter: RealMember,
    host: Host,
    node: Node,
    join: Spawned,
    _network: Network,
    _scratch: Scratch,
}

impl Scene {
    async fn set(stability: &str) -> Self {
        let scratch = Scratch::new();
        let mut network = Network::enter(&scratch, Family::V4);
        let first = network.host(&scratch, "cp-1");
        let mut voter = RealMember::on(&first, &newest(), scratch.path(), Tls::Off);
        voter.bootstrap(&[("cp-1".to_owned(), voter.peer_url.clone())], "new");
        voter.start_on(&first);
        let host = network.host(&scratch, "cp-2");
        let node = Node::on(&host, &scratch, &newest(), Tls::Off);
        let url = voter.client_url.clone();
        eventually("the voter to serve", SOON, async || written(&url).await).await;
        let mut command = node.join(&[url]);
        command.args(["--stability", stability]);
        let join = Spawned::start(host.command(&command));
        Self { voter, host, node, join, _network: network, _scratch: scratch }
    }

    /// Waits until the learner answers and has been steady for a while.
    async fn steady(&mut self) {
        self.join.event("sync-progress", "", SOON).await;
        let url = self.node.client_url();
        eventually("the learner to answer", SOON, async || {
            let mut client = Client::connect([&url], None).await.map_err(|e| e.to_string())?;
            client.status().await.map(drop).map_err(|e| e.to_string())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    async fn voters(&self) -> usize {
        let mut client = Client::connect([&self.voter.client_url], None).await.expect("a URL");
        let list = client.member_list().await.expect("the voter answers");
        list.members().iter().filter(|m| !m.is_learner()).count()
    }
}

async fn written(url: &str) -> Result<(), String> {
    let write = async {
        let mut client = Client::connect([url], None).await.map_err(|e| e.to_string())?;
        client.put("written", "x", None).await.map(drop).map_err(|e| e.to_string())
    };
    tokio::time::timeout(WRITE, write).await.map_err(|_| "no answer".to_owned())?
}

/// A cut peer link that does not end: the join is undone, and the cluster never notices.
#[tokio::test]
async fn a_learner_whose_peer_link_is_cut_is_not_promoted_and_undone() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut scene = Scene::set(STEADY).await;
    scene.steady().await;
    scene.host.cut_port(2380);
    let told = waiting_for(&mut scene.join, "does not apply what is written").await;
    assert_eq!(scene.voters().await, 1, "{told}");
    written(&scene.voter.client_url).await.expect("the cluster has its quorum");
    // It may be mended at any time: nothing has been lost by waiting.
    let ended = scene.join.finish(SOON).await.expect_code(14);
    let end = ended.events().pop().expect("events");
    assert!(end["message"].as_str().is_some_and(|m| m.ends_with("undone: the cluster is as it was")), "{end}");
    written(&scene.voter.client_url).await.expect("the cluster has its quorum");
    assert_eq!(runner_harness::processes_of(&scene.node.data_dir), Vec::<String>::new());
}

/// The link comes back: so does the join.
#[tokio::test]
async fn a_peer_link_that_is_mended_lets_the_join_go_on() {
    if !in_a_network_of_its_own() {
        return;
    }
    let mut scene = Scene::set(STEADY).await;
    scene.steady().await;
    scene.host.cut_port(2380);
    waiting_for(&mut scene.join, "does not apply what is written").await;
    scene.host.mend_port(2380);
    let ended = scene.join.finish(SOON).await.expect_code(0);
    assert_eq!(ended.events().pop().expect("events")["outcome"], "joined");
    let mut client = Client::connect([&scene.voter.client_url], None).await.expect("a URL");
    let list = client.member_list().await.expect("the voter answers");
    assert_eq!(list.members().iter().filter(|m| !m.is_learner()).count(), 2);
}

/// Waits until the run says that it waits for this.
async fn waiting_for(join: &mut Spawned, reason: &str) -> String {
    eventually(reason, SOON, async || {
        let events = join.events();
        let said = |e: &serde_json::Value| e["reason"].as_str().filter(|text| text.contains(reason)).map(str::to_owned);
        let waiting = events.iter().filter(|e| e["kind"] == "waiting").find_map(said);
        waiting.ok_or_else(|| format!("{:?}", events.last()))
    })
    .await
}
