//! What an etcd cluster is: members, status, endpoint roles, error classes, and the calls that runner makes to one.

use async_trait::async_trait;

pub use error::{Class, ClusterError, Reason, Result, advice};
pub use member::{Member, MemberId, MemberList, quorum};
pub use status::{Alarm, AlarmKind, MemberMetrics, MemberStatus};
pub use version::Version;
pub use view::{MemberView, View};

pub mod oracle;

mod error;
mod member;
pub mod remedy;
mod status;
mod version;
mod view;

/// The calls that runner makes to a cluster, each to one endpoint of the caller's choice.
///
/// An endpoint is a client URL (`https://10.0.0.1:2379`). Every call has its own short deadline and fails fast; none retries, and
/// none chooses another endpoint: who is asked, and what is done about an error, is the caller's decision (see [`View`] for
/// endpoint roles, [`Reason::class`] for errors). Implementations may keep connections.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// The linearizable member list. Refused by a learner. (3.4 serves its own view; the real adapter makes it linearizable
    /// with a read first.)
    async fn member_list(&self, endpoint: &str) -> Result<MemberList>;

    /// The endpoint's own status: no quorum needed, learners answer too.
    async fn status(&self, endpoint: &str) -> Result<MemberStatus>;

    /// Has one entry go through consensus, and returns once the endpoint has applied it. It changes no key and no revision. Refused by a
    /// learner.
    async fn propose(&self, endpoint: &str) -> Result<()>;

    /// Adds a member with these peer URLs as a learner and returns its id.
    async fn add_learner(&self, endpoint: &str, peer_urls: &[String]) -> Result<MemberId>;

    /// Makes the learner a voter. etcd refuses with [`Reason::LearnerNotReady`] until it has replicated 90 % of the log.
    async fn promote(&self, endpoint: &str, id: MemberId) -> Result<()>;

    /// Removes the member.
    async fn remove(&self, endpoint: &str, id: MemberId) -> Result<()>;

    /// A linearizable read of one (absent or present) key: proves that the endpoint serves clients and reaches a quorum.
    async fn linearizable_read(&self, endpoint: &str) -> Result<()>;

    /// The member list as the member at this *peer* URL knows it: served without a quorum, and so perhaps an old one.
    async fn peer_members(&self, peer_url: &str) -> Result<MemberList>;

    /// What a starting member shows on its metrics listener (`http://127.0.0.1:2381`), before its client port is open.
    async fn metrics(&self, metrics_url: &str) -> Result<MemberMetrics>;
}
