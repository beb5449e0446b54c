//! Starting a member that has its data, before anybody is asked who needs a quorum to answer: this member's vote may be the one that the
//! cluster waits for. After a power cut of all nodes nothing else brings a cluster back.

use futures::future::join_all;

use super::{DataDir, Failure, Identity, JoinPlan, JournalState, Launcher, MemberSpec, Running};
use crate::cluster::{Cluster, Member, MemberList};
use crate::terms::Outcome;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromData {
    /// It was handed over to be started.
    Started,
    /// It runs already.
    Runs,
    /// There is no member's data to start from.
    NoData(DataDir),
    /// The data is another member's than the one that the journal knows; it was not started.
    Others(Identity),
    /// Another member has its peer URLs by now, as a member that could be reached tells; it was not started.
    Replaced(Member),
}

/// Starts the member of this plan and journal from the data that it has, unless it runs. An empty journal state stands for a member that
/// runner has not worked for: whatever data there is counts as its own.
///
/// Of the other members only those are asked that can be reached, on their peer ports, which answer without a quorum. What they tell may be
/// old, so a member that they do not know yet is started all the same: etcd itself ends where it was removed.
///
/// # Errors
///
/// The launcher's, where the data cannot be read or the member cannot be started.
pub async fn start_from_data(
    launcher: &dyn Launcher,
    cluster: &dyn Cluster,
    plan: &JoinPlan,
    state: &JournalState,
) -> Result<FromData, Failure> {
    let identity = match launcher.data_dir().await.map_err(Failure::launch)? {
        DataDir::Member { cluster_id, member_id } => Identity { cluster_id, member_id },
        other => return Ok(FromData::NoData(other)),
    };
    let its = match state.identity() {
        Some(ours) => ours == identity,
        // A run that has added nobody has no data: this came by other means.
        None => state.begun.is_none() || state.finished == Some(Outcome::Joined),
    };
    if !its {
        return Ok(FromData::Others(identity));
    }
    if launcher.running().await == Running::Yes {
        return Ok(FromData::Runs);
    }
    if let Some(other) = replaced(cluster, plan, state, identity).await {
        return Ok(FromData::Replaced(other));
    }
    launcher.start(&spec(plan, state, identity)).await.map_err(Failure::launch)?;
    Ok(FromData::Started)
}

/// Who has our peer URLs, by any of the other members that answers for our cluster.
async fn replaced(cluster: &dyn Cluster, plan: &JoinPlan, state: &JournalState, ours: Identity) -> Option<Member> {
    let others = state.members.iter().flat_map(|list| &list.members).filter(|m| m.id != ours.member_id);
    let urls = others.flat_map(|m| &m.peer_urls).filter(|url| !plan.peer_urls.contains(url));
    let lists = join_all(urls.map(|url| cluster.peer_members(url))).await;
    let same: Vec<MemberList> = lists.into_iter().flatten().filter(|list| list.cluster_id == ours.cluster_id).collect();
    // Whoever was down for long tells of members that are no more. Nobody who knows ours tells of one in its place.
    if same.iter().any(|list| list.get(ours.member_id).is_some()) {
        return None;
    }
    same.iter().find_map(|list| list.using_peer_url(&plan.peer_urls)).cloned()
}

/// What it starts with. Of all this etcd reads nothing but the URLs to listen on, once there is a log.
fn spec(plan: &JoinPlan, state: &JournalState, identity: Identity) -> MemberSpec {
    let known = state.members.iter().flat_map(|list| &list.members).filter(|m| m.id != identity.member_id);
    let named = |m: &Member| if m.name.is_empty() { m.id.to_string() } else { m.name.clone() };
    let others = known.flat_map(|m| m.peer_urls.iter().map(move |url| (named(m), url.clone())));
    let own = plan.peer_urls.iter().map(|url| (plan.name.clone(), url.clone()));
    MemberSpec {
        identity: Some(identity),
        started: true,
        name: plan.name.clone(),
        peer_urls: plan.peer_urls.clone(),
        client_urls: plan.client_urls.clone(),
        initial_cluster: others.chain(own).collect(),
        existing: true,
    }
}
