//! An independent client: it writes all the time, reads the member list of every voter all the time, and says what it saw.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use etcd_client::Client;

use super::site::{ASK, Site};

/// Between two writes.
const PAUSE: Duration = Duration::from_millis(20);

/// Between two looks at the lists.
const LOOK: Duration = Duration::from_millis(100);

/// Where its keys are.
pub(super) const KEYS: &str = "witness/";

/// What it has seen.
pub(super) struct Witness {
    /// Writes that were acknowledged, and when.
    acknowledged: RefCell<Vec<(u64, Instant)>>,
    /// How many lists it has read.
    pub(super) lists: Cell<u64>,
    /// Lists that should not be.
    pub(super) wrong: RefCell<Vec<String>>,
    stop: Cell<bool>,
}

/// A member list as one voter says it: id, peer URL, whether it is a learner.
type List = Vec<(u64, String, bool)>;

impl Witness {
    /// Has seen nothing yet.
    pub(super) fn new() -> Self {
        let (acknowledged, wrong) = (RefCell::new(vec![(0, Instant::now())]), RefCell::default());
        Self { acknowledged, lists: Cell::new(0), wrong, stop: Cell::new(false) }
    }

    /// Ends [`watch`](Self::watch).
    pub(super) fn stop(&self) {
        self.stop.set(true);
    }

    /// Writes and looks until it is stopped.
    pub(super) async fn watch(&self, site: &Site) {
        let looks = site.voters.iter().map(|voter| self.look(site, &voter.client_url));
        futures::future::join(self.write(site), futures::future::join_all(looks)).await;
    }

    /// The keys whose writes were acknowledged.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        self.acknowledged.borrow().iter().skip(1).map(|(number, _)| key(*number)).collect()
    }

    /// The times without an acknowledged write that are longer than this.
    pub(super) fn gaps(&self, longer_than: Duration) -> Vec<(Instant, Instant)> {
        let acknowledged = self.acknowledged.borrow();
        let pairs = acknowledged.windows(2).map(|pair| (pair[0].1, pair[1].1));
        pairs.filter(|(from, to)| *to - *from > longer_than).collect()
    }

    /// The longest time without an acknowledged write.
    pub(super) fn longest(&self) -> Duration {
        self.gaps(Duration::ZERO).into_iter().map(|(from, to)| to - from).max().unwrap_or_default()
    }

    async fn write(&self, site: &Site) {
        let mut clients = Vec::new();
        for voter in &site.voters {
            clients.push(site.client(&voter.client_url).await.expect("a client for a valid URL and files"));
        }
        let mut turn = 0;
        for number in 1.. {
            let value = number.to_string().repeat(20);
            // Until one member acknowledges it: writing the same once more does not hurt.
            loop {
                if self.stop.get() {
                    return;
                }
                let put = clients[turn].put(key(number), value.clone(), None);
                if matches!(tokio::time::timeout(ASK, put).await, Ok(Ok(_))) {
                    break;
                }
                turn = (turn + 1) % clients.len();
                tokio::time::sleep(PAUSE).await;
            }
            self.acknowledged.borrow_mut().push((number, Instant::now()));
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&self, site: &Site, url: &str) {
        let mut client = site.client(url).await.expect("a client for a valid URL and files");
        let mut before = None;
        while !self.stop.get() {
            if let Some(list) = ask(&mut client).await {
                self.lists.set(self.lists.get() + 1);
                if before.as_ref() != Some(&list) {
                    let wrong = judge(site, before.as_ref(), &list);
                    self.wrong.borrow_mut().extend(wrong.map(|what| format!("{what}: {before:?}, then {list:?} by {url}")));
                    before = Some(list);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The key of this write.
fn key(number: u64) -> String {
    format!("{KEYS}{number:06}")
}

async fn ask(client: &mut Client) -> Option<List> {
    let answer = tokio::time::timeout(ASK, client.member_list()).await.ok()?.ok()?;
    let one = |m: &etcd_client::Member| (m.id(), m.peer_urls().join(","), m.is_learner());
    Some(answer.members().iter().map(one).collect())
}

/// What is wrong with a list that the same member says after another one.
fn judge(site: &Site, before: Option<&List>, list: &List) -> Option<&'static str> {
    let url_of_joiner = |url: &str| site.joiners.iter().any(|j| j.node.peer_url() == url);
    let spoiled = |url: &str| site.joiners.iter().any(|j| j.spoiled.get() && j.node.peer_url() == url);
    if !site.voters.iter().all(|v| list.iter().any(|(_, url, learner)| *url == v.peer_url && !learner)) {
        return Some("a voter is gone that nobody added here");
    }
    if list.iter().filter(|(_, _, learner)| *learner).count() > 1 {
        return Some("two learners");
    }
    if list.iter().any(|(_, url, _)| !url_of_joiner(url) && !site.voters.iter().any(|v| v.peer_url == *url)) {
        return Some("a member that nobody knows");
    }
    let stays = |id: &u64| list.iter().any(|(now, _, learner)| now == id && !learner);
    let mut voters = before.into_iter().flatten().filter(|(_, url, learner)| !learner && !spoiled(url));
    (!voters.all(|(id, _, _)| stays(id))).then_some("a voter is gone that had been promoted")
}
