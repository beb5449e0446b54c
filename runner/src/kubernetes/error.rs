//! What can go wrong between runner and the Kubernetes API, told apart by what a person can do about it.

use std::path::PathBuf;

/// Why the API did not do what it was asked for. One sentence; [`hint`](Self::hint) says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Nothing says where the API is.
    #[error("no way to the Kubernetes API is known: KUBECONFIG names no file, and there is no {}", admin.display())]
    NoWay {
        /// kubeadm's kubeconfig, which is not there.
        admin: PathBuf,
    },
    /// What says where the API is cannot be used.
    #[error("the Kubernetes API cannot be reached by {source_name}: {reason}")]
    Unusable {
        /// The kubeconfig or service account.
        source_name: String,
        /// Why.
        reason: String,
    },
    /// The API does not answer, or cannot answer now.
    #[error("the Kubernetes API cannot be reached: {reason}")]
    Unreachable {
        /// Why.
        reason: String,
    },
    /// The API answers, and does not permit it.
    #[error("the Kubernetes API refuses {what} to runner: {reason}")]
    Denied {
        /// What was asked for.
        what: String,
        /// The API's own words, which name the user and the verb.
        reason: String,
    },
    /// Somebody else has changed or made the object in between.
    #[error("{what} was changed by somebody else in between: {reason}")]
    Conflict {
        /// What was asked for.
        what: String,
        /// The API's own words.
        reason: String,
    },
    /// There is no such object, or the API knows no such kind.
    #[error("the Kubernetes API does not have {what}")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The API takes the request for wrong.
    #[error("the Kubernetes API does not accept {what}: {reason}")]
    Rejected {
        /// What was asked for.
        what: String,
        /// The API's own words.
        reason: String,
    },
    /// The answer is none of this API, or larger than any that is expected.
    #[error("the Kubernetes API answered with something else than {what}")]
    Garbage {
        /// What was asked for.
        what: String,
    },
}

impl ApiError {
    /// What to do about it, as one sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoWay { .. } => "give --kubeconfig, or --kubernetes off where runner is to do without the API",
            Self::Unusable { .. } => "check the kubeconfig with `kubectl --kubeconfig FILE version`, or give another one",
            Self::Unreachable { .. } => {
                "check the address in the kubeconfig and that the API server runs; membership work needs only etcd"
            }
            Self::Denied { .. } => "`runner rbac` prints what runner needs; apply it, or give another --kubeconfig",
            Self::Conflict { .. } => "look who else changes it; trying again is safe",
            Self::NotFound { .. } => "check that the kubeconfig leads to the cluster that this etcd belongs to",
            Self::Rejected { .. } => "check that node names are those of Kubernetes (--node-name)",
            Self::Garbage { .. } => {
                "check that the address in the kubeconfig is that of an API server and of no other service"
            }
        }
    }

    /// A stable identifier in kebab-case, for findings.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoWay { .. } => "kubernetes-unknown",
            Self::Unusable { .. } => "kubernetes-unusable",
            Self::Unreachable { .. } => "kubernetes-unreachable",
            Self::Denied { .. } => "kubernetes-denied",
            Self::Conflict { .. } => "kubernetes-conflict",
            Self::NotFound { .. } => "kubernetes-not-found",
            Self::Rejected { .. } => "kubernetes-rejected",
            Self::Garbage { .. } => "kubernetes-garbage",
        }
    }

    /// Whether the same request may succeed a little later.
    pub fn passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Conflict { .. })
    }
}
