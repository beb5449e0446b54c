//! The hosts of one run: the voters' with their etcds, and the joiners' with nothing yet.

use std::cell::RefCell;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use etcd_client::{Client, ConnectOptions};
use runner_harness::{
    ClientFiles, Family, Host, Network, Node, RealMember, Scratch, Tls, TlsFiles, eventually, running_on, write_ca,
    write_member_at,
};

use super::joiner::Joiner;
use super::schedule::{Schedule, Who};

/// An etcd serves within this, on a machine that is busy.
const SERVE: Duration = Duration::from_secs(60);

/// One question to one member may take so long.
pub(super) const ASK: Duration = Duration::from_secs(1);

/// The small disk of a joiner that is to run out of it: more than a WAL (64 MB at once) and a database, and soon full.
const SMALL_DISK: u64 = 200;

/// All of it. Processes first, so that they end before the networks and the folder go.
pub(super) struct Site {
    pub(super) voters: Vec<Voter>,
    pub(super) joiners: Vec<Joiner>,
    /// Members of joiners that a supervisor (we) had to start again.
    supervised: RefCell<Vec<Child>>,
    files: Option<TlsFiles>,
    _network: Network,
    _scratch: Scratch,
}

/// A voter and its host.
pub(super) struct Voter {
    pub(super) member: RefCell<RealMember>,
    pub(super) client_url: String,
    pub(super) peer_url: String,
    pub(super) host: Host,
}

impl Site {
    /// Starts the voters and waits until all of them serve.
    pub(super) async fn start(schedule: &Schedule) -> anyhow::Result<Self> {
        let scratch = Scratch::new();
        let mut network = Network::enter(&scratch, Family::V4);
        let files = (schedule.tls == Tls::On).then(|| write_ca(&scratch.join("pki/etcd")));
        let mut voters = Vec::new();
        for number in 1..=schedule.voters {
            let host = network.host(&scratch, &format!("cp-{number}"));
            let member = RealMember::on(&host, &schedule.binary, scratch.path(), schedule.tls);
            if let (Some(files), Some(pki)) = (&files, &member.pki) {
                write_member_at(files, pki, &member.name, &host.addresses);
            }
            let (client_url, peer_url) = (member.client_url.clone(), member.peer_url.clone());
            voters.push(Voter { member: RefCell::new(member), client_url, peer_url, host });
        }
        let list: Vec<_> = voters.iter().map(|v| (v.host.name.clone(), v.peer_url.clone())).collect();
        for voter in &voters {
            let mut member = voter.member.borrow_mut();
            member.bootstrap(&list, "new");
            member.start_on(&voter.host);
        }
        let endpoints: Vec<_> = voters.iter().map(|v| v.client_url.clone()).collect();
        let mut joiners = Vec::new();
        for number in 0..schedule.joiners {
            let mut host = network.host(&scratch, &format!("new-{}", number + 1));
            let mut node = Node::on(&host, &scratch, &schedule.binary, schedule.tls);
            if schedule.tls == Tls::On {
                node = node.with_ca_of(&scratch.join("pki"));
            }
            if schedule.fills_disk_of(number) {
                let disk = scratch.join(&host.name).join("disk");
                host.small_disk(&disk, SMALL_DISK);
                node.data_dir = disk.join("data");
            }
            joiners.push(Joiner::new(host, node, &endpoints));
        }
        let site = Self { voters, joiners, supervised: RefCell::default(), files, _network: network, _scratch: scratch };
        for voter in &site.voters {
            site.serves(&voter.client_url).await;
        }
        site.fill(schedule.megabytes).await?;
        Ok(site)
    }

    /// A client of one member, which finds it again soon after it was away.
    pub(super) async fn client(&self, url: &str) -> anyhow::Result<Client> {
        let mut options = ConnectOptions::new().with_connect_timeout(ASK).with_timeout(10 * ASK);
        options = options.with_keep_alive(ASK, ASK).with_keep_alive_while_idle(true);
        if let Some(files) = self.files.as_ref().map(|files| -> &ClientFiles { &files.client }) {
            options = options.with_tls(files.options());
        }
        Ok(Client::connect([url], Some(options)).await?)
    }

    /// Waits until the member at this URL serves a linearizable read.
    pub(super) async fn serves(&self, url: &str) {
        eventually(&format!("{url} to serve"), SERVE, async || {
            let mut client = self.client(url).await?;
            client.get("is-it-there", None).await.context("a read")?;
            anyhow::Ok(())
        })
        .await;
    }

    /// The number of the voter that leads, by whoever answers.
    pub(super) async fn leader(&self) -> Option<usize> {
        for (number, voter) in self.voters.iter().enumerate() {
            let asked = async {
                let status = self.client(&voter.client_url).await?.status().await?;
                anyhow::Ok(status.header().is_some_and(|h| h.member_id() == status.leader()))
            };
            if matches!(tokio::time::timeout(ASK, asked).await, Ok(Ok(true))) {
                return Some(number);
            }
        }
        None
    }

    /// The list as a quorum has it: id, peer URL, and whether it is a learner; none while no voter says it.
    pub(super) async fn list(&self) -> Option<Vec<(u64, String, bool)>> {
        for voter in &self.voters {
            let asked = async {
                let mut client = self.client(&voter.client_url).await?;
                // A linearizable read first: 3.4 answers the list from what it has.
                client.get("is-it-there", None).await?;
                anyhow::Ok(client.member_list().await?)
            };
            if let Ok(Ok(answer)) = tokio::time::timeout(2 * ASK, asked).await {
                let one = |m: &etcd_client::Member| (m.id(), m.peer_urls().join(","), m.is_learner());
                return Some(answer.members().iter().map(one).collect());
            }
        }
        None
    }

    /// Its host, as it is now for a leader: another may lead the moment after.
    pub(super) async fn host(&self, who: Who) -> &Host {
        match who {
            Who::Joiner(number) => &self.joiners[number].host,
            Who::Voter(number) => &self.voters[number].host,
            Who::Leader => &self.voters[self.leader().await.unwrap_or(0)].host,
        }
    }

    /// The voter's number; the first where a joiner or nobody leads.
    pub(super) async fn voter(&self, who: Who) -> usize {
        match who {
            Who::Voter(number) => number,
            Who::Leader | Who::Joiner(_) => self.leader().await.unwrap_or(0),
        }
    }

    /// Starts a joiner's etcd again with the arguments that the runner gave it, as a supervisor would.
    pub(super) fn supervise(&self, joiner: &Joiner) -> anyhow::Result<()> {
        if !running_on(&joiner.node.data_dir).is_empty() {
            return Ok(());
        }
        let arguments = joiner.etcd.borrow().clone();
        ensure!(!arguments.is_empty(), "{} is a voter whose etcd was never seen", joiner.node.name);
        let mut command = Command::new(&arguments[0]);
        command.args(&arguments[1..]);
        let mut command = joiner.host.command(&command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        self.supervised.borrow_mut().push(child);
        Ok(())
    }

    async fn fill(&self, megabytes: usize) -> anyhow::Result<()> {
        let mut client = self.client(&self.voters[0].client_url).await?;
        let value = vec![b'x'; 1_000_000];
        for number in 0..megabytes {
            client.put(format!("fill/{number}"), value.clone(), None).await?;
        }
        Ok(())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for mut child in self.supervised.borrow_mut().drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
