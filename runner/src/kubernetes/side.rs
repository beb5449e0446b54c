//! All of Kubernetes' side of one run, made from what the journal keeps.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::herald::Herald;
use super::lease::ApiLease;
use super::nodes::{Nodes, mark_with};
use super::{Api, Locks, Names, Notices};
use crate::event::EventSink;
use crate::pipeline::{JoinLock, Platform};

/// How long the end of a run may be held up by an API that does not answer: one request, and a little.
const PATIENCE: Duration = Duration::from_secs(4);

/// What a run needs to know of Kubernetes; kept in the journal, so that `resume` and `rollback` need no arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The kubeconfig; none for what [`client::connect`](super::client::connect) finds.
    pub kubeconfig: Option<PathBuf>,
    /// The joining node's name in Kubernetes.
    pub node: String,
    /// What runner's objects are called.
    #[serde(default)]
    pub names: Names,
    /// Whether the node gets a control-plane node's labels and taint once it has joined.
    #[serde(default)]
    pub mark: bool,
    /// The taints that it gets then, `key[=value]:effect` each; none for kubeadm's own.
    #[serde(default)]
    pub taints: Option<Vec<String>>,
    /// Whether nodes that cannot be checked refuse a join.
    #[serde(default)]
    pub required: bool,
}

/// Kubernetes' side of one run. Asks nothing before it is asked.
pub struct Side {
    settings: Settings,
    run: String,
    resumed: bool,
    api: Arc<Api>,
    notices: Notices,
    locks: Mutex<Option<Arc<Locks>>>,
    herald: Mutex<Option<Arc<Herald>>>,
}

impl Side {
    /// For this run. `resumed`: an earlier runner of it may have left something. `sink` is told what does not work.
    pub fn new(settings: Settings, run: &str, resumed: bool, sink: Arc<dyn EventSink>) -> Self {
        let api = Arc::new(Api::new(settings.kubeconfig.clone()));
        Self {
            settings,
            run: run.to_owned(),
            resumed,
            api,
            notices: Notices::new(sink),
            locks: Mutex::default(),
            herald: Mutex::default(),
        }
    }

    /// The nodes.
    pub fn platform(&self) -> Arc<dyn Platform> {
        let Settings { node, mark, taints, required, .. } = &self.settings;
        let taints = mark.then(|| mark_with(taints.as_deref()));
        Arc::new(Nodes::new(Arc::clone(&self.api), node.clone(), taints, *required, self.notices.clone()))
    }

    /// The Lease and etcd's lock together.
    pub fn locks(&self, etcd: Arc<dyn JoinLock>) -> Arc<dyn JoinLock> {
        let Settings { node, names, .. } = &self.settings;
        let store = ApiLease::new(Arc::clone(&self.api), names.namespace.clone(), names.lease.clone());
        let (run, node, notices) = (self.run.clone(), node.clone(), self.notices.clone());
        let locks = Arc::new(Locks::new(etcd, Arc::new(store), names, run, node, self.resumed, notices));
        *self.locks.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&locks));
        locks
    }

    /// What tells Kubernetes about the run: to be given all of its events. Needs a runtime to write in.
    pub fn herald(&self) -> Arc<dyn EventSink> {
        let Settings { node, names, .. } = &self.settings;
        let (api, notices) = (Arc::clone(&self.api), self.notices.clone());
        let herald = Arc::new(Herald::start(api, names.clone(), node, &self.run, self.resumed, notices));
        *self.herald.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&herald));
        herald
    }

    /// The end of the run, however it ended: gives up the Lease if that has not been done, and writes what is left to write.
    /// Takes no more than a few seconds. `unfinished`: the run can be resumed, and Kubernetes is told so.
    pub async fn close(&self, unfinished: bool) {
        let locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let herald = self.herald.lock().unwrap_or_else(PoisonError::into_inner).take();
        let released = async {
            if let Some(locks) = locks {
                // A Lease that is not given up ends by itself.
                let _ = tokio::time::timeout(PATIENCE, locks.release_lease()).await;
            }
        };
        let told = async {
            if let Some(herald) = herald {
                herald.close(unfinished, PATIENCE).await;
            }
        };
        tokio::join!(released, told);
    }
}
