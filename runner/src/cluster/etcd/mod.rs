//! The real cluster: etcd's gRPC API, one kept connection for each endpoint.
//!
//! Every call has its own deadline and fails fast; none is repeated here. A connection is made when it is first needed and
//! thrown away when a call on it fails below gRPC, so that the next call starts afresh.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{AlarmAction, AlarmType, Channel, Client, GetOptions, MemberAddOptions};
use tokio::time::{Instant, timeout};

use super::{Cluster, ClusterError, Member, MemberId, MemberList, MemberMetrics, MemberStatus, Reason, Result};
use crate::tls::{self, ClientTls, LoadedTls, TlsError};
use connect::Target;

pub use lock::{EtcdLock, LEASE_TTL, PREFIX as LOCK_PREFIX};
pub use read::KeyValue;

mod connect;
mod error;
mod lock;
mod metrics;
mod peers;
mod read;

/// How long making a connection may take, TCP and TLS together. kubeadm's dial timeout is 2 s, too.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a call that changes nothing may take, the connection included.
pub const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a change of the membership may take, the connection included. etcd itself gives up after 5 s plus twice the
/// election timeout (7 s by default) and then says as little about the outcome as our deadline does, so we do not wait for it.
pub const CHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// The key that linearizable reads ask for. It need not exist; a read does not create it.
const READ_KEY: &str = "/runner.dev/read";

/// A real etcd cluster. Cheap to share behind an `Arc`; holds connections, no state of the cluster.
pub struct EtcdCluster {
    tls: Option<LoadedTls>,
    connections: Mutex<HashMap<String, Connection>>,
    /// For the members' peer ports and metrics, with the client's certificate where it is TLS.
    http: reqwest::Client,
}

/// A kept connection, with the number that tells it from its successor at the same endpoint.
#[derive(Clone)]
struct Connection {
    client: Client,
    target: Target,
    number: u64,
}

impl EtcdCluster {
    /// A cluster that is reached with these TLS files, or without TLS. Connects to nothing yet.
    ///
    /// An endpoint without a scheme (`10.0.0.1:2379`) means `https://` where files are given, else `http://`; an endpoint that
    /// says `http://` is reached without TLS even then.
    ///
    /// # Errors
    /// A TLS file that cannot be used, see [`ClientTls::load`].
    pub fn new(tls: Option<ClientTls>) -> std::result::Result<Self, TlsError> {
        let tls = tls.map(|files| files.load()).transpose()?;
        tls::name_provider();
        let http = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT).timeout(READ_TIMEOUT);
        let http = match &tls {
            Some(tls) => http.tls_backend_preconfigured(peers::without_alpn(tls)),
            // Without TLS nobody is trusted: the system's CAs are not loaded, and there may be none.
            None => http.tls_certs_only([]),
        };
        let http = http.build().map_err(|e| TlsError::Refused { reason: e.to_string() })?;
        Ok(Self { tls, connections: Mutex::default(), http })
    }

    /// Makes one call on the endpoint's connection, within the deadline, and classifies its failure.
    pub(super) async fn call<T, F>(&self, endpoint: &str, deadline: Duration, call: impl FnOnce(Client) -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, etcd_client::Error>>,
    {
        let connection = self.connection(endpoint).await?;
        let Connection { client, target, number } = connection;
        let failure = match timeout(deadline, call(client)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error::classify(error, &target, endpoint),
            Err(_) => ClusterError::new(
                Reason::DeadlineExceeded,
                format!("no answer within {}", humantime::format_duration(deadline)),
                endpoint,
            ),
        };
        if error::breaks_connection(failure.reason) {
            self.forget(endpoint, number);
        }
        Err(failure)
    }

    /// The endpoint's connection; made lazily, so this itself does not wait for the network.
    async fn connection(&self, endpoint: &str) -> Result<Connection> {
        if let Some(known) = self.connections.lock().unwrap_or_else(PoisonError::into_inner).get(endpoint) {
            return Ok(known.clone());
        }
        let target = Target::parse(endpoint, self.tls.as_ref())?;
        let channel = target.channel(endpoint)?;
        // Without credentials this sends nothing.
        let client =
            Client::from_channel(Channel::Tonic(channel), None).await.map_err(|e| error::classify(e, &target, endpoint))?;
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(connections.entry(endpoint.to_owned()).or_insert(Connection { client, target, number }).clone())
    }

    /// Throws the connection away, unless another call has replaced it already.
    fn forget(&self, endpoint: &str, number: u64) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.get(endpoint).is_some_and(|c| c.number == number) {
            connections.remove(endpoint);
        }
    }
}

#[async_trait]
impl Cluster for EtcdCluster {
    /// etcd-client asks for a list that is *not* linearizable (and 3.4 knows no other), so a linearizable read goes first: when
    /// it returns, the endpoint has applied every membership change that was committed when we asked.
    async fn member_list(&self, endpoint: &str) -> Result<MemberList> {
        self.call(endpoint, READ_TIMEOUT, |client| async move {
            client.kv_client().get(READ_KEY, Some(GetOptions::new().with_count_only())).await?;
            let answer = client.cluster_client().member_list().await?;
            Ok(MemberList {
                cluster_id: answer.header().map_or(0, |h| h.cluster_id()),
                members: answer.members().iter().map(member).collect(),
            })
        })
        .await
    }

    async fn status(&self, endpoint: &str) -> Result<MemberStatus> {
        let start = Instant::now();
        self.call(endpoint, READ_TIMEOUT, |client| async move {
            let answer = client.maintenance_client().status().await?;
            Ok(MemberStatus {
                cluster_id: answer.header().map_or(0, |h| h.cluster_id()),
                member_id: MemberId(answer.header().map_or(0, |h| h.member_id())),
                version: answer.version().to_owned(),
                db_size: bytes(answer.db_size()),
                db_size_in_use: bytes(answer.raft_used_db_size()),
                leader: Some(answer.leader()).filter(|id| *id != 0).map(MemberId),
                raft_index: answer.raft_index(),
                raft_applied_index: answer.raft_applied_index(),
                raft_term: answer.raft_term(),
                learner: answer.is_learner(),
                errors: answer.errors().to_vec(),
                round_trip: start.elapsed(),
            })
        })
        .await
    }

    /// By reading the alarms: that is a proposal on every version (`Alarm` in server/etcdserver/v3_server.go), is answered once it is
    /// applied, is taken also while an alarm is raised, and leaves keys, revision and watches as they are.
    async fn propose(&self, endpoint: &str) -> Result<()> {
        self.call(endpoint, READ_TIMEOUT, |client| async move {
            client.maintenance_client().alarm(AlarmAction::Get, AlarmType::None, None).await
        })
        .await
        .map(drop)
    }

    async fn add_learner(&self, endpoint: &str, peer_urls: &[String]) -> Result<MemberId> {
        let answer = self
            .call(endpoint, CHANGE_TIMEOUT, |client| async move {
                let learner = MemberAddOptions::new().with_is_learner();
                client.cluster_client().member_add(peer_urls, Some(learner)).await
            })
            .await?;
        let added = answer.member().map(|m| MemberId(m.id()));
        added.ok_or_else(|| ClusterError::new(Reason::Other, "the answer to MemberAdd names no member", endpoint))
    }

    async fn promote(&self, endpoint: &str, id: MemberId) -> Result<()> {
        self.call(endpoint, CHANGE_TIMEOUT, |client| async move { client.cluster_client().member_promote(id.0).await })
            .await
            .map(drop)
    }

    async fn remove(&self, endpoint: &str, id: MemberId) -> Result<()> {
        self.call(endpoint, CHANGE_TIMEOUT, |client| async move { client.cluster_client().member_remove(id.0).await })
            .await
            .map(drop)
    }

    async fn linearizable_read(&self, endpoint: &str) -> Result<()> {
        self.call(endpoint, READ_TIMEOUT, |client| async move {
            client.kv_client().get(READ_KEY, Some(GetOptions::new().with_count_only())).await
        })
        .await
        .map(drop)
    }

    /// `GET /members` on the peer port, as a joining etcd asks it (server/etcdserver/api/etcdhttp/peer.go), with the client's certificate:
    /// the peer port takes any that its CA has signed.
    async fn peer_members(&self, peer_url: &str) -> Result<MemberList> {
        peers::members(&self.http, peer_url).await
    }

    /// By plain HTTP where the URL says so, as kubeadm and runner write it; an `https://` listener has the client port's certificates
    /// (server/embed/etcd.go, `createMetricsListener`) and is asked with the cluster's TLS.
    async fn metrics(&self, metrics_url: &str) -> Result<MemberMetrics> {
        metrics::fetch(&self.http, metrics_url).await
    }
}

fn member(m: &etcd_client::Member) -> Member {
    Member {
        id: MemberId(m.id()),
        name: m.name().to_owned(),
        peer_urls: m.peer_urls().to_vec(),
        client_urls: m.client_urls().to_vec(),
        learner: m.is_learner(),
    }
}

/// etcd sends sizes as signed numbers.
fn bytes(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}
