//! A real etcd cluster on 127.0.0.1.

use std::time::Duration;

use anyhow::{Context, bail};
use etcd_client::{AlarmAction, AlarmOptions, AlarmType, Client, ConnectOptions};

use crate::{
    ClientFiles, EtcdBinary, Load, RealMember, Scratch, Tls, TlsFiles, eventually, log_tail, write_ca, write_member,
};

/// How long a cluster may take to serve: an election, on a machine that is busy with other tests.
const SERVE: Duration = Duration::from_secs(60);

/// How often a start is tried again when another program has taken one of the ports.
const STARTS: usize = 3;

/// How to make a cluster.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// How many voters.
    pub members: usize,
    /// What they run.
    pub binary: EtcdBinary,
    /// Whether they speak TLS.
    pub tls: Tls,
    /// Further flags of every member, for example `--quota-backend-bytes=…`.
    pub extra: Vec<String>,
}

/// A real cluster. Members are counted from 0 and named `m1`, `m2`, …; its files are in [`RealCluster::scratch`].
pub struct RealCluster {
    /// The members: first, so that they are dropped (killed, waited for) before the folder goes.
    pub members: Vec<RealMember>,
    /// The CA and the client's certificate, where it speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Where everything is; tests may put their own files there.
    pub scratch: Scratch,
}

impl RealCluster {
    /// Starts a cluster and waits until every member serves linearizable reads.
    pub async fn start(members: usize, binary: &EtcdBinary, tls: Tls) -> Self {
        Self::with(ClusterOptions { members, binary: binary.clone(), tls, extra: Vec::new() }).await
    }

    /// Starts a cluster and waits until every member serves linearizable reads.
    pub async fn with(options: ClusterOptions) -> Self {
        for _ in 1..STARTS {
            if let Ok(cluster) = Self::attempt(&options).await {
                return cluster;
            }
        }
        Self::attempt(&options).await.expect("a free port: three times in a row another program took one")
    }

    /// The URLs where clients reach the members, down ones too.
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|m| m.client_url.clone()).collect()
    }

    /// `--initial-cluster` of its members: name and peer URL.
    pub fn initial_cluster(&self) -> Vec<(String, String)> {
        self.members.iter().map(|m| (m.name.clone(), m.peer_url.clone())).collect()
    }

    /// The client's certificate files; none without TLS.
    pub fn client_files(&self) -> Option<ClientFiles> {
        self.tls.as_ref().map(|tls| tls.client.clone())
    }

    /// A client over all members.
    pub async fn client(&self) -> Client {
        self.connect(&self.endpoints()).await
    }

    /// A client of one member.
    pub async fn client_of(&self, member: usize) -> Client {
        self.connect(&[self.members[member].client_url.clone()]).await
    }

    /// Which member leads. Panics when none does for a while.
    pub async fn leader(&self) -> usize {
        eventually("a leader", SERVE, async || self.ask_leader().await).await
    }

    /// `kill -9`.
    pub fn kill(&mut self, member: usize) {
        self.members[member].kill();
    }

    /// SIGTERM, and waits until it has ended.
    pub async fn stop(&mut self, member: usize) {
        self.members[member].stop().await;
    }

    /// SIGSTOP: the member keeps its connections and answers nothing.
    pub fn pause(&mut self, member: usize) {
        self.members[member].pause();
    }

    /// SIGCONT.
    pub fn resume(&mut self, member: usize) {
        self.members[member].resume();
    }

    /// Starts a member that is down, with its old arguments and data, and waits until it serves.
    pub async fn restart(&mut self, member: usize) {
        self.members[member].start();
        self.serves(member).await;
    }

    /// Waits until the member serves a linearizable read; panics with the end of its log.
    pub async fn serves(&mut self, member: usize) {
        let result = self.wait_served(member).await;
        result.unwrap_or_else(|e| panic!("{e:#}\n{}", log_tail(&self.members[member].log, 20)));
    }

    /// Raises NOSPACE in this member's name, by the call that etcd itself makes when its quota is reached. Writes are refused
    /// from then on.
    pub async fn raise_nospace(&self, member: usize) {
        let mut client = self.client_of(member).await;
        let id = client.status().await.expect("the member answers").header().expect("a header").member_id();
        let mut options = AlarmOptions::new();
        options.with_member(id);
        client.alarm(AlarmAction::Activate, AlarmType::Nospace, Some(options)).await.expect("the alarm is raised");
    }

    /// Writes all the time through all members until stopped.
    pub async fn load(&self) -> Load {
        Load::start(self.client().await)
    }

    /// Puts about this many megabytes into the database, in values of 1 MB.
    pub async fn fill(&self, megabytes: usize) {
        let mut client = self.client().await;
        let value = vec![b'x'; 1_000_000];
        for number in 0..megabytes {
            client.put(format!("fill/{number}"), value.clone(), None).await.expect("the cluster takes writes");
        }
    }

    async fn attempt(options: &ClusterOptions) -> anyhow::Result<Self> {
        let scratch = Scratch::new();
        let plan = |n| RealMember::plan(&format!("m{n}"), &options.binary, scratch.path(), options.tls, &options.extra);
        let members = (1..=options.members).map(plan).collect();
        let tls = (options.tls == Tls::On).then(|| write_ca(&scratch.join("pki/etcd")));
        let mut cluster = Self { members, tls, scratch };
        let list = cluster.initial_cluster();
        for member in &mut cluster.members {
            if let (Some(tls), Some(pki)) = (&cluster.tls, &member.pki) {
                write_member(tls, pki, &member.name);
            }
            member.bootstrap(&list, "new");
            member.start();
        }
        for member in 0..options.members {
            if let Err(error) = cluster.wait_served(member).await {
                let tail = log_tail(&cluster.members[member].log, 20);
                if tail.contains("address already in use") {
                    bail!("a port was taken");
                }
                panic!("{error:#}\n{tail}");
            }
        }
        Ok(cluster)
    }

    /// Asks until the member serves a linearizable read, its process ends, or the time is up.
    async fn wait_served(&mut self, member: usize) -> anyhow::Result<()> {
        let files = self.client_files();
        let member = &mut self.members[member];
        let start = std::time::Instant::now();
        loop {
            let read = async {
                let mut client = connect(std::slice::from_ref(&member.client_url), files.as_ref()).await?;
                client.get("is-it-there", None).await.map(drop)
            };
            let last = match tokio::time::timeout(Duration::from_secs(5), read).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            if !member.running() {
                bail!("the etcd of {} has ended", member.name);
            }
            if start.elapsed() > SERVE {
                bail!("{} did not serve within {SERVE:?}: {last}", member.name);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn ask_leader(&self) -> anyhow::Result<usize> {
        for (number, member) in self.members.iter().enumerate() {
            let Ok(mut client) = connect(std::slice::from_ref(&member.client_url), self.client_files().as_ref()).await
            else {
                continue;
            };
            let Ok(Ok(status)) = tokio::time::timeout(Duration::from_secs(2), client.status()).await else { continue };
            if status.header().context("a header")?.member_id() == status.leader() {
                return Ok(number);
            }
        }
        bail!("no member says that it leads")
    }

    async fn connect(&self, endpoints: &[String]) -> Client {
        connect(endpoints, self.client_files().as_ref()).await.expect("a client for valid URLs and files")
    }
}

pub(crate) async fn connect(endpoints: &[String], files: Option<&ClientFiles>) -> Result<Client, etcd_client::Error> {
    let mut options =
        ConnectOptions::new().with_connect_timeout(Duration::from_secs(2)).with_timeout(Duration::from_secs(10));
    if let Some(files) = files {
        options = options.with_tls(files.options());
    }
    Client::connect(endpoints, Some(options)).await
}
