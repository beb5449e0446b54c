//! Kubernetes' nodes as the platform under etcd: checked before a join, marked after it.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Node, Taint};

use super::names::CONTROL_PLANE;
use super::{Api, ApiError, Notices};
use crate::cluster::View;
use crate::pipeline::{Finding, Newcomer, Platform, Severity};
use mark::Marked;
pub(super) use mark::mark_with;

mod facts;
mod judge;
mod mark;

/// The nodes of the cluster that the API serves.
pub(super) struct Nodes {
    api: Arc<Api>,
    node: String,
    /// The taints to mark it with; none where it is not to be marked.
    marks: Option<Vec<Taint>>,
    required: bool,
    notices: Notices,
}

impl Nodes {
    /// `node` is the one that is to join; `marks`: it gets a control-plane node's labels and these taints once it has; `required`: that
    /// the nodes cannot be judged refuses the join.
    pub(super) fn new(api: Arc<Api>, node: String, marks: Option<Vec<Taint>>, required: bool, notices: Notices) -> Self {
        Self { api, node, marks, required, notices }
    }

    fn trouble(&self, severity: Severity, meaning: &str, error: &ApiError) -> Finding {
        // The finding says it.
        self.notices.told(error);
        Finding {
            severity,
            code: error.code().to_owned(),
            message: format!("{meaning}: {error}"),
            remedy: Some(error.hint().to_owned()),
            member: None,
        }
    }
}

#[async_trait]
impl Platform for Nodes {
    async fn check(&self, view: &View, _newcomer: &Newcomer) -> Vec<Finding> {
        let (nodes, version) = tokio::join!(self.api.list::<Node>(None, CONTROL_PLANE), self.api.version());
        match nodes {
            Ok(nodes) => {
                let seen = judge::Seen { nodes: &nodes, api: version.as_deref().ok(), own: &self.node };
                judge::judge(&seen, view)
            }
            Err(error) => {
                let severity = if self.required { Severity::Error } else { Severity::Warning };
                vec![self.trouble(severity, "the control-plane nodes cannot be checked", &error)]
            }
        }
    }

    async fn joined(&self) -> Vec<Finding> {
        let Some(taints) = &self.marks else {
            return Vec::new();
        };
        let name = &self.node;
        match mark::mark(&self.api, name, taints).await {
            Ok(Marked::Before) => Vec::new(),
            Ok(Marked::Now) => vec![Finding {
                severity: Severity::Info,
                code: "node-marked".to_owned(),
                message: format!("the node {name} has a control-plane node's labels and taint now"),
                remedy: None,
                member: None,
            }],
            Ok(Marked::NotRegistered) => vec![Finding {
                severity: Severity::Warning,
                code: "node-not-registered".to_owned(),
                message: format!("Kubernetes knows no node {name} yet: it is not marked as a control-plane node"),
                remedy: Some(
                    "once its kubelet runs: kubeadm init phase mark-control-plane, or kubectl label and taint".to_owned(),
                ),
                member: None,
            }],
            Err(error) => {
                vec![self.trouble(Severity::Warning, "the node could not be marked as a control-plane node", &error)]
            }
        }
    }
}
