//! kubeadm's etcd join with the waits that it documents, step by step: `CreateStackedEtcdStaticPodManifestFile` and
//! cmd/kubeadm/app/util/etcd/etcd.go, kubeadm 1.35.
//!
//! Left out, all in kubeadm's favour: finding the cluster through the API server, writing the static pod, the kubelet's reaction
//! to it, the image. Every poll tries at once first, then after each interval, as `wait.PollUntilContextTimeout(…, immediate)`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use etcd_client::{Client, MemberAddOptions};
use tokio::time::{sleep, timeout};

use super::site::{Site, patience};
use super::{Measured, millis};

/// `constants.EtcdAPICallRetryInterval`: between two tries of any call.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// `etcdTimeout`: dialling, and each call.
const CALL: Duration = Duration::from_secs(2);
/// `etcdHealthyCheckInterval` and `etcdHealthyCheckRetries`: `WaitForClusterAvailable`.
const AVAILABLE_INTERVAL: Duration = Duration::from_secs(5);
const AVAILABLE_TRIES: usize = 8;

/// Sync, list and add, start, find the id, wait for "started", promote, wait until every endpoint answers; then the read.
pub(crate) async fn join(site: &mut Site) -> Result<Measured> {
    let began = Instant::now();
    let mut endpoints = site.cluster.endpoints();
    let peer_url = site.newcomer.peer_url.clone();

    // `NewFromCluster` ends with `Sync`: a member list.
    let mut client = dial(site, &endpoints).await?;
    poll("Sync", async || Ok(client.member_list().await.map(drop)?)).await?;

    // `AddMemberAsLearner`: lists first (the peer URL may be there already), then adds.
    let mut client = dial(site, &endpoints).await?;
    poll("MemberAddAsLearner", async || {
        let list = client.member_list().await?;
        if !list.members().iter().any(|m| m.peer_urls().first() == Some(&peer_url)) {
            client.member_add([peer_url.clone()], Some(MemberAddOptions::new().with_is_learner())).await?;
        }
        Ok(())
    })
    .await?;
    // `addMember` appends the new member's client URL, so that the last step asks it, too.
    endpoints.push(site.newcomer.client_url.clone());

    site.start_newcomer();

    // From here on kubeadm's client has the new, not yet open endpoint beside the old ones; its balancer uses those that answer.
    let voters = site.cluster.endpoints();
    let mut client = dial(site, &voters).await?;
    let id = poll("GetMemberID", async || {
        let list = client.member_list().await?;
        let ours = list.members().iter().find(|m| m.peer_urls().first() == Some(&peer_url));
        ours.map(etcd_client::Member::id).context("not in the list")
    })
    .await?;

    // `MemberPromote`, first half (since 1.35.1): "started" is to have a name in the list.
    let mut client = dial(site, &voters).await?;
    poll("started", async || {
        let list = client.member_list().await?;
        let named = list.members().iter().any(|m| m.id() == id && !m.name().is_empty());
        if named { Ok(()) } else { Err(anyhow!("the learner has no name yet")) }
    })
    .await?;
    // Second half: tries until etcd says yes.
    poll("MemberPromote", async || Ok(client.member_promote(id).await.map(drop)?)).await?;
    let voter = millis(began);

    wait_for_cluster_available(site, &endpoints).await?;
    let command = millis(began);
    site.read_on_newcomer().await?;
    Ok(Measured { voter, read: millis(began), command: Some(command), ..Measured::default() })
}

/// `WaitForClusterAvailable`: `Status` of each endpoint in turn, each polled for itself.
async fn wait_for_cluster_available(site: &Site, endpoints: &[String]) -> Result<()> {
    let mut last = None;
    for number in 0..AVAILABLE_TRIES {
        if number > 0 {
            sleep(AVAILABLE_INTERVAL).await;
        }
        match every_status(site, endpoints).await {
            Ok(()) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| anyhow!("no try"))).context("WaitForClusterAvailable")
}

async fn every_status(site: &Site, endpoints: &[String]) -> Result<()> {
    for endpoint in endpoints {
        let mut client = dial(site, std::slice::from_ref(endpoint)).await?;
        poll("Status", async || Ok(client.status().await.map(drop)?)).await?;
    }
    Ok(())
}

async fn dial(site: &Site, endpoints: &[String]) -> Result<Client> {
    timeout(CALL, site.connect(endpoints)).await.context("dialling took too long")?
}

/// Tries at once and then every 500 ms; any error is tried again.
async fn poll<T>(what: &str, mut call: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    loop {
        let error = match timeout(CALL, call()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => anyhow!("no answer within {CALL:?}"),
        };
        patience(began, what).with_context(|| format!("last: {error:#}"))?;
        sleep(RETRY_INTERVAL).await;
    }
}
