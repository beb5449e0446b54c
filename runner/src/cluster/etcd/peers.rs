//! What a member tells on its peer port, without a quorum.

use serde::Deserialize;
use tokio_rustls::rustls::ClientConfig;

use crate::cluster::{ClusterError, Member, MemberId, MemberList, Reason, Result};
use crate::tls::LoadedTls;

/// A list this large is no member list: a member takes some 300 bytes.
const MAX_LIST: usize = 1 << 20;

/// The header in which a peer names its cluster (server/etcdserver/api/rafthttp).
const CLUSTER_ID: &str = "X-Etcd-Cluster-ID";

/// A member, as etcd writes it there (server/etcdserver/api/membership/member.go).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peer {
    id: u64,
    #[serde(default, rename = "peerURLs")]
    peer_urls: Vec<String>,
    #[serde(default)]
    name: String,
    #[serde(default, rename = "clientURLs")]
    client_urls: Vec<String>,
    #[serde(default)]
    is_learner: bool,
}

/// The peer port speaks HTTP/1.1, where the client port speaks gRPC only.
pub(super) fn without_alpn(tls: &LoadedTls) -> ClientConfig {
    let mut config = ClientConfig::clone(&tls.config);
    config.alpn_protocols.clear();
    config
}

pub(super) async fn members(http: &reqwest::Client, peer_url: &str) -> Result<MemberList> {
    let failed = |error: reqwest::Error| {
        let (reason, text) = match () {
            () if error.is_connect() => (Reason::Unreachable, "cannot connect to the peer port"),
            () if error.is_timeout() => (Reason::DeadlineExceeded, "the peer port does not answer"),
            () if error.is_builder() => (Reason::Other, "not a peer URL (https://host:port)"),
            () => (Reason::ConnectionLost, "the peer port broke off"),
        };
        ClusterError::new(reason, text, peer_url)
    };
    let other = |text: String| ClusterError::new(Reason::Other, text, peer_url);
    let url = format!("{}/members", peer_url.trim_end_matches('/'));
    let mut answer = http.get(url).send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(other(format!("the peer port answers {}", answer.status())));
    }
    let cluster = answer.headers().get(CLUSTER_ID).and_then(|id| id.to_str().ok());
    let cluster_id = cluster.and_then(|id| u64::from_str_radix(id, 16).ok());
    let cluster_id = cluster_id.ok_or_else(|| other("the peer port names no cluster: it is not etcd's".to_owned()))?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_LIST {
            return Err(other("the member list is too large to be etcd's".to_owned()));
        }
    }
    let peers: Vec<Peer> =
        serde_json::from_slice(&body).map_err(|e| other(format!("the peer port's answer is no member list: {e}")))?;
    let members = peers.into_iter().map(|Peer { id, peer_urls, name, client_urls, is_learner }| Member {
        id: MemberId(id),
        name,
        peer_urls,
        client_urls,
        learner: is_learner,
    });
    Ok(MemberList { cluster_id, members: members.collect() })
}
