//! A fresh cluster of one voter and the member that is to join it: every measurement has its own, so that none profits from or
//! pays for the one before (a second add within 5 s is refused with `unhealthy cluster`, for one).

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use etcd_client::{Client, ConnectOptions, GetOptions};
use runner_harness::{ClientFiles, EtcdBinary, RealCluster, RealMember, Tls, write_member};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How many small writes the cluster has seen before somebody joins it.
const WRITES: usize = 400;
/// How long one measurement may take; the known stall is 7 s, kubeadm's waits come on top.
const LIMIT: Duration = Duration::from_secs(120);
/// How often the floor tries again.
pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);

/// Where one join is measured.
pub(crate) struct Site {
    pub(crate) newcomer: RealMember,
    pub(crate) cluster: RealCluster,
}

impl Site {
    /// Starts the cluster, with TLS, and fills it.
    pub(crate) async fn new(binary: &EtcdBinary, megabytes: usize) -> Result<Self> {
        let cluster = RealCluster::start(1, binary, Tls::On).await;
        let mut client = cluster.client().await;
        for number in 0..WRITES {
            client.put(format!("small/{number}"), "value", None).await?;
        }
        cluster.fill(megabytes).await;
        let newcomer = RealMember::plan("m2", binary, cluster.scratch.path(), Tls::On, &[]);
        if let (Some(tls), Some(pki)) = (&cluster.tls, &newcomer.pki) {
            write_member(tls, pki, &newcomer.name);
        }
        Ok(Self { newcomer, cluster })
    }

    /// A new connection to these endpoints.
    pub(crate) async fn connect(&self, endpoints: &[String]) -> Result<Client> {
        connect(endpoints, &self.files()?).await
    }

    /// Starts the newcomer's etcd as somebody would who knows the list: the cluster and itself.
    pub(crate) fn start_newcomer(&mut self) {
        let mut list = self.cluster.initial_cluster();
        list.push((self.newcomer.name.clone(), self.newcomer.peer_url.clone()));
        self.newcomer.bootstrap(&list, "existing");
        self.newcomer.start();
    }

    /// Reads linearizably through the newcomer, tried every millisecond until it succeeds.
    pub(crate) async fn read_on_newcomer(&self) -> Result<()> {
        let url = &self.newcomer.client_url;
        let address = url.split_once("://").map_or(url.as_str(), |(_, address)| address);
        let (files, began) = (self.files()?, Instant::now());
        loop {
            // A refused connection costs nothing, so the port is asked before a client is made.
            if TcpStream::connect(address).await.is_ok() {
                let read = async {
                    let mut client = connect(std::slice::from_ref(url), &files).await?;
                    client.get("small/0", Some(GetOptions::new().with_count_only())).await?;
                    anyhow::Ok(())
                };
                if let Ok(Ok(())) = timeout(Duration::from_secs(1), read).await {
                    return Ok(());
                }
            }
            patience(began, "a linearizable read on the new member")?;
            sleep(MILLISECOND).await;
        }
    }

    fn files(&self) -> Result<ClientFiles> {
        self.cluster.client_files().context("the cluster speaks TLS")
    }
}

/// Fails when a measurement has taken too long.
pub(crate) fn patience(began: Instant, what: &str) -> Result<()> {
    if began.elapsed() > LIMIT {
        bail!("waited {} s for {what}", LIMIT.as_secs());
    }
    Ok(())
}

async fn connect(endpoints: &[String], files: &ClientFiles) -> Result<Client> {
    let options = ConnectOptions::new().with_connect_timeout(Duration::from_secs(2)).with_tls(files.options());
    Ok(Client::connect(endpoints, Some(options)).await?)
}
