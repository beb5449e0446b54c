//! Where runner works: the cluster, and the files that lead to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::cluster::etcd::EtcdCluster;
use crate::cluster::{Cluster as _, Member};
use crate::surroundings::Refused;
use crate::tls::ClientTls;

/// How long a member list is good for: a guest may ask about every member in one call, and a list costs a quorum read.
const FRESH: Duration = Duration::from_secs(5);

/// The members, and when they were looked at.
type Seen = (Instant, Arc<[Member]>);

/// What the capabilities reach the outside by. The default reaches nothing.
#[derive(Clone, Default)]
pub struct Site {
    /// The connection to etcd; none where there is no cluster.
    pub cluster: Option<Arc<EtcdCluster>>,
    /// Client URLs that the operator gave.
    pub endpoints: Vec<String>,
    /// This node's TLS files for etcd; none without TLS.
    pub tls: Option<ClientTls>,
    /// The kubeconfig to use; none for those in `KUBECONFIG`, else kubeadm's admin.conf, else the pod's service account.
    pub kubeconfig: Option<PathBuf>,
    seen: Arc<Mutex<Option<Seen>>>,
}

impl Site {
    /// A site with this cluster.
    pub fn new(cluster: Arc<EtcdCluster>, endpoints: Vec<String>, tls: Option<ClientTls>) -> Self {
        Self { cluster: Some(cluster), endpoints, tls, ..Self::default() }
    }

    /// The etcd members, at most five seconds old. Asks the endpoints one after another, then those of the members last seen.
    ///
    /// # Errors
    ///
    /// `unavailable` where none of them answers.
    pub async fn members(&self) -> Result<Arc<[Member]>, Refused> {
        let cluster = self.cluster()?;
        let mut seen = self.seen.lock().await;
        if let Some((_, members)) = seen.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(members.clone());
        }
        let mut last = None;
        let known = seen.as_ref().map(|(_, members)| members.clone());
        let further = known.iter().flat_map(|members| members.iter()).flat_map(|member| member.client_urls.iter());
        for endpoint in self.endpoints.iter().chain(further) {
            match cluster.member_list(endpoint).await {
                Ok(list) => {
                    let members: Arc<[Member]> = list.members.into();
                    *seen = Some((Instant::now(), members.clone()));
                    return Ok(members);
                }
                Err(error) => last = Some(error),
            }
        }
        let why = last.map_or_else(|| "no endpoint is known".to_owned(), |error| error.to_string());
        Err(Refused::new("unavailable", format!("no member of the cluster answers: {why}")))
    }

    /// The connection to etcd.
    pub(super) fn cluster(&self) -> Result<&EtcdCluster, Refused> {
        self.cluster.as_deref().ok_or_else(|| Refused::new("unavailable", "there is no etcd cluster here"))
    }
}
