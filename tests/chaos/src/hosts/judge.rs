//! What must be true, whatever happened: looked at when a runner's call ends, and at the end of the run.

use std::collections::BTreeSet;
use std::time::Duration;

use etcd_client::GetOptions;
use runner::cluster::quorum;

use super::hurt::Hurts;
use super::joiner::{Ended, Joiner};
use super::site::Site;
use super::witness::{KEYS, Witness};

/// The longest pause of the writes that an election explains: a follower waits 1 s to 2 s before it stands (etcd's default
/// `--election-timeout`, randomised), a vote may be split once, and the witness loses a second with each member that does not answer. Also
/// the aftermath of a hurt.
pub(super) const ELECTION: Duration = Duration::from_secs(6);

/// One look at an invariant: its name, and what was wrong.
pub(super) type Look = (&'static str, Result<(), String>);

/// After a call of the runner has ended: the journal explains what the list says of the joiner, and a join that was undone is undone.
pub(super) async fn after_a_call(site: &Site, joiner: &Joiner, ended: Ended) -> Vec<Look> {
    // Before the list: what is done after the look at the list is none of the journal's business, and nobody runs now.
    let journal = joiner.node.journal();
    let Some(list) = site.list().await else { return Vec::new() };
    let has = |record: &str| journal.iter().any(|r| r == record);
    let member = list.iter().find(|(_, url, _)| *url == joiner.node.peer_url());
    let told = format!("{}: the list {list:?}, the journal {journal:?}, it ended as {ended:?}", joiner.node.name);
    let explained = match member {
        Some((_, _, true)) => has("add-intended"),
        Some((_, _, false)) => has("promote-intended") || joiner.was_voter(),
        None => !has("promoted") || joiner.spoiled.get(),
    };
    let mut looks = vec![("the journal explains the list", explained.then_some(()).ok_or_else(|| told.clone()))];
    if ended == Ended::Status(0) && journal.last().is_some_and(|r| r == "finished") && has("promoted") {
        let right = member.is_some_and(|(_, _, learner)| !learner);
        looks.push(("joined means that it is a voter", right.then_some(()).ok_or_else(|| told.clone())));
    }
    // 10 to 15: the cluster is as it was.
    if matches!(ended, Ended::Status(10..=15)) && !joiner.was_voter() {
        let clean = member.is_none() && joiner.process().is_none() && !joiner.host.path(&joiner.node.data_dir).exists();
        looks.push(("undone means that nothing is left", clean.then_some(()).ok_or(told)));
    }
    looks
}

/// At the end: everybody has everything that was acknowledged and the same of it, and no pause of the writes was longer than what was
/// done to the hosts explains.
pub(super) async fn at_the_end(site: &Site, hurts: &Hurts, witness: &Witness) -> anyhow::Result<Vec<Look>> {
    let mut looks = Vec::new();
    let wrong = std::mem::take(&mut *witness.wrong.borrow_mut());
    looks.extend(wrong.into_iter().map(|what| ("no list that should not be", Err(what))));
    let wanted = witness.keys();
    let members: Vec<_> = site.voters.iter().map(|v| v.client_url.clone()).collect();
    let joined = site.joiners.iter().filter(|j| !j.spoiled.get()).map(|j| j.node.client_url());
    let mut hashes = BTreeSet::new();
    let revision = site.client(&members[0]).await?.get(KEYS, None).await?.header().map_or(0, |h| h.revision());
    for url in members.iter().cloned().chain(joined) {
        let mut client = site.client(&url).await?;
        let options = GetOptions::new().with_prefix().with_keys_only();
        let there = client.get(KEYS, Some(options)).await?;
        let there: BTreeSet<_> = there.kvs().iter().filter_map(|kv| kv.key_str().ok().map(str::to_owned)).collect();
        let lost: Vec<_> = wanted.difference(&there).take(5).collect();
        let kept = lost.is_empty().then_some(()).ok_or_else(|| format!("{url} does not have {lost:?}"));
        looks.push(("no acknowledged write is lost", kept));
        // Of one revision: the writes go on in the lock's keys.
        hashes.insert(client.hash_kv(revision).await?.hash());
    }
    let same = hashes.len() == 1;
    looks.push(("all members have the same", same.then_some(()).ok_or_else(|| format!("hashes {hashes:?} at {revision}"))));
    looks.extend(witness.gaps(ELECTION).into_iter().map(|gap| {
        let happened = hurts.happened.borrow();
        let touching: Vec<_> = happened.iter().filter(|h| h.touches(gap, ELECTION)).collect();
        let out: BTreeSet<_> = touching.iter().flat_map(|h| &h.hosts).collect();
        // How many voters there were at that time is not known exactly: any number on the way excuses it.
        let mut sizes = site.voters.len()..=site.voters.len() + site.joiners.len();
        let excused = sizes.any(|voters| voters.saturating_sub(out.len()) < quorum(voters));
        let told = || format!("no write for {:?}, during {touching:?}", gap.1 - gap.0);
        ("no pause of the writes that the hurts do not explain", excused.then_some(()).ok_or_else(told))
    }));
    looks.push(("no pause of the writes that the hurts do not explain", Ok(())));
    Ok(looks)
}
