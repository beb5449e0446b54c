//! kubeadm's own documents: what they say about this node's etcd member.
//!
//! `InitConfiguration`, `JoinConfiguration` and `ClusterConfiguration` of `kubeadm.k8s.io/v1beta3` and `v1beta4`, several documents in
//! a file as kubeadm takes them; the keys are those of kubeadm's `apis/kubeadm/v1beta3` and `v1beta4/types.go`. kubeadm itself only
//! warns of a key that it does not know, so that a misspelt one is lost in silence: here it is a mistake, with its place. Tokens and
//! certificate keys are passed over unread, so that no message can hold them.

pub use cluster::ClusterDocument;
pub use documents::{Documents, Notice};
pub use node::{NodeDocument, NodeKind};
pub use quantities::{GoDuration, San};
pub use version::{DocumentVersion, KubernetesVersion};

mod cluster;
mod documents;
mod keys;
mod node;
mod quantities;
mod since;
#[cfg(test)]
mod tests;
mod version;
