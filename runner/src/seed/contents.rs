//! What a copied database says about itself: how far it goes, and whose it is.
//!
//! A snapshot in raft's sense is a state at an index, the term of that index, and the configuration at that index. etcd commits all three with
//! the state itself, in one transaction of bbolt: bucket `meta`, keys `consistent_index` and `term` (8 bytes, big-endian) and `confState` (JSON).
//! Buckets `members` and `members_removed` have the members by their ids in hex, the first with JSON, and `cluster` has `clusterVersion`.
//! Source: etcd's `storage/schema/{bucket,cindex,confstate,membership}.go` of 3.6 and 3.7, in 3.5 `mvcc/buckets`, `etcdserver/cindex` and
//! `api/membership`. 3.4 has neither term nor configuration there.
//!
//! What this does *not* prove: that index and term belong together. etcd sets the two one after the other, and for an entry without content,
//! such as the first of each term, without the lock of the transaction (3.6: `cindex.go` `SetConsistentIndex` and `UnsafeSave`, `server.go`
//! `applyEntryNormal`): a commit between the two writes a wrong term. Whoever starts a member from it has to know besides that the source had
//! applied an entry of its term before the copy, and was in that term still when the copy had begun.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::bolt::{BoltError, Database, Pair, ReadAt};
use crate::cluster::{Member, MemberId, Version};
use crate::text::one_line;

/// What the database says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The index of the last entry of the log that is in it.
    pub index: u64,
    /// The term of that entry.
    pub term: u64,
    /// The members at that index, by their ids; their roles are those of raft's configuration, too.
    pub members: Vec<Member>,
    /// The members that were ever removed.
    pub removed: BTreeSet<MemberId>,
    /// The version that the cluster had agreed on, `3.6.0` for example.
    pub cluster_version: Option<Version>,
    /// The version of the database's own format, `3.6.0` for example; 3.5 writes none.
    pub storage_version: Option<Version>,
}

/// Why nothing can be made of it.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// The file.
    #[error(transparent)]
    Database(#[from] BoltError),
    /// Something is not there: it is another version's, or no etcd's.
    #[error("the database does not tell its {0}: it is not one of etcd 3.5 or newer")]
    Missing(&'static str),
    /// Something is there and cannot be read.
    #[error("the database's {0} cannot be read")]
    Malformed(&'static str),
    /// Its members have not changed since etcd 3.4, which wrote none: the next change writes it.
    #[error("the database has no configuration of raft's: etcd writes it when its members change")]
    Unrecorded,
    /// The configuration is one of two sets of voters. etcd 3.4 to 3.7 make no such change.
    #[error("the database's configuration is one of a change that is under way")]
    Changing,
    /// The configuration and the member list in it are not one: it was copied between the two commits of a change, or was restored from a
    /// snapshot, which keeps the former cluster's configuration until its members change.
    #[error("the database contradicts itself: {0}")]
    Disagrees(String),
    /// A downgrade is enabled: what is written may be another version's any moment.
    #[error("the cluster is being downgraded to {0}")]
    Downgrading(String),
}

/// raft's configuration, as etcd writes it (`raftpb.ConfState`).
#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfState {
    voters: BTreeSet<u64>,
    learners: BTreeSet<u64>,
    voters_outgoing: BTreeSet<u64>,
    learners_next: BTreeSet<u64>,
    auto_leave: bool,
}

/// A member, as etcd writes it (`membership.Member`).
#[derive(Deserialize)]
struct Written {
    id: u64,
    #[serde(rename = "peerURLs", default)]
    peer_urls: Option<Vec<String>>,
    #[serde(rename = "isLearner", default)]
    learner: bool,
    #[serde(default)]
    name: String,
    #[serde(rename = "clientURLs", default)]
    client_urls: Option<Vec<String>>,
}

impl Contents {
    /// Reads it. The file may be anybody's.
    ///
    /// # Errors
    ///
    /// It is no database of etcd, it is damaged, or it does not tell what a member can be started from.
    pub fn read<F: ReadAt + ?Sized>(file: &F) -> Result<Self, ContentsError> {
        let database = Database::open(file)?;
        let meta = database.bucket(b"meta")?.ok_or(ContentsError::Missing("bucket `meta`"))?;
        let number = |key: &[u8], what| match database.get(&meta, key)? {
            Some(value) => match value.as_slice().try_into().map(u64::from_be_bytes) {
                Ok(0) | Err(_) => Err(ContentsError::Malformed(what)),
                Ok(number) => Ok(number),
            },
            None => Err(ContentsError::Missing(what)),
        };
        let (index, term) = (number(b"consistent_index", "index")?, number(b"term", "term")?);
        let written = database.get(&meta, b"confState")?.ok_or(ContentsError::Unrecorded)?;
        let configuration: ConfState =
            serde_json::from_slice(&written).map_err(|_| ContentsError::Malformed("configuration"))?;
        let in_between = [&configuration.voters_outgoing, &configuration.learners_next];
        if configuration.auto_leave || in_between.iter().any(|set| !set.is_empty()) {
            return Err(ContentsError::Changing);
        }
        let members = members(&database)?;
        let removed = removed(&database)?;
        agree(&configuration, &members, &removed)?;
        let storage_version = version(database.get(&meta, b"storageVersion")?, "storage version")?;
        let (mut cluster_version, mut downgrade) = (None, None);
        if let Some(cluster) = database.bucket(b"cluster")? {
            cluster_version = version(database.get(&cluster, b"clusterVersion")?, "cluster version")?;
            downgrade = database.get(&cluster, b"downgrade")?;
        }
        no_downgrade(downgrade.as_deref())?;
        Ok(Self { index, term, members, removed, cluster_version, storage_version })
    }
}

fn entries<F: ReadAt + ?Sized>(database: &Database<'_, F>, name: &[u8]) -> Result<Vec<Pair>, BoltError> {
    database.bucket(name)?.map_or_else(|| Ok(Vec::new()), |bucket| database.entries(&bucket))
}

fn members<F: ReadAt + ?Sized>(database: &Database<'_, F>) -> Result<Vec<Member>, ContentsError> {
    let read = |(key, value): Pair| {
        let malformed = ContentsError::Malformed("member list");
        let Some(id) = id(&key) else { return Err(malformed) };
        let Ok(written) = serde_json::from_slice::<Written>(&value) else { return Err(malformed) };
        if written.id != id.0 {
            return Err(ContentsError::Disagrees(format!("member {id} is written as member {:x}", written.id)));
        }
        if id.0 == 0 || written.peer_urls.as_ref().is_none_or(Vec::is_empty) {
            return Err(malformed);
        }
        Ok(Member {
            id,
            name: written.name,
            peer_urls: written.peer_urls.unwrap_or_default(),
            client_urls: written.client_urls.unwrap_or_default(),
            learner: written.learner,
        })
    };
    entries(database, b"members")?.into_iter().map(read).collect()
}

fn removed<F: ReadAt + ?Sized>(database: &Database<'_, F>) -> Result<BTreeSet<MemberId>, ContentsError> {
    let keys = entries(database, b"members_removed")?.into_iter().map(|(key, _)| key);
    keys.map(|key| id(&key).ok_or(ContentsError::Malformed("list of removed members"))).collect()
}

/// An id as etcd writes it.
fn id(key: &[u8]) -> Option<MemberId> {
    let text = std::str::from_utf8(key).ok()?;
    let id: MemberId = text.parse().ok()?;
    // Nothing but its own spelling.
    (id.to_string() == text).then_some(id)
}

/// Nothing but three numbers: etcd writes no other, and ends at one that it cannot read.
fn version(written: Option<Vec<u8>>, what: &'static str) -> Result<Option<Version>, ContentsError> {
    let Some(written) = written else { return Ok(None) };
    let text = String::from_utf8(written).unwrap_or_default();
    let version = Version::parse(&text).filter(|version| version.to_string() == text);
    version.map(Some).ok_or(ContentsError::Malformed(what))
}

/// `membership/downgrade.go`, the same in 3.5 to 3.7.
#[derive(Deserialize)]
struct Downgrade {
    #[serde(rename = "target-version", default)]
    target: String,
    #[serde(default)]
    enabled: bool,
}

fn no_downgrade(written: Option<&[u8]>) -> Result<(), ContentsError> {
    let Some(written) = written else { return Ok(()) };
    match serde_json::from_slice::<Downgrade>(written) {
        Ok(downgrade) if !downgrade.enabled => Ok(()),
        Ok(downgrade) => Err(ContentsError::Downgrading(one_line(&downgrade.target, 40))),
        Err(_) => Err(ContentsError::Malformed("downgrade")),
    }
}

/// One set of ids and roles.
fn agree(conf: &ConfState, members: &[Member], removed: &BTreeSet<MemberId>) -> Result<(), ContentsError> {
    let disagrees = |text: String| Err(ContentsError::Disagrees(text));
    let of = |learner: bool| members.iter().filter(|m| m.learner == learner).map(|m| m.id.0).collect::<BTreeSet<u64>>();
    for (role, configured, listed) in [("voters", &conf.voters, of(false)), ("learners", &conf.learners, of(true))] {
        if let Some(id) = configured.symmetric_difference(&listed).next() {
            let (with, without) = match configured.contains(id) {
                true => ("configuration", "member list"),
                false => ("member list", "configuration"),
            };
            return disagrees(format!("{id:x} is among the {role} of its {with} and not of its {without}"));
        }
    }
    if conf.voters.is_empty() {
        return disagrees("it has no voter".to_owned());
    }
    match members.iter().find(|m| removed.contains(&m.id)) {
        Some(member) => disagrees(format!("member {} is in its list and was removed", member.id)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Entry, bucket_at, bucket_inside, file, leaf, plain, seal};
    use super::*;

    struct Scene {
        cluster: Vec<Entry>,
        meta: Vec<Entry>,
        members: Vec<Entry>,
        removed: Vec<Entry>,
    }

    /// One voter and one learner, as 3.6 writes them.
    fn scene() -> Scene {
        let member =
            |id: u64, more: &str| plain(&format!("{id:x}"), format!(r#"{{"id":{id},"peerURLs":["http://h:2380"]{more}}}"#));
        Scene {
            cluster: vec![plain("clusterVersion", "3.6.0"), plain("downgrade", r#"{"target-version":"","enabled":false}"#)],
            meta: vec![
                plain("confState", r#"{"voters":[10],"learners":[11],"auto_leave":false}"#),
                plain("consistent_index", 77u64.to_be_bytes()),
                plain("storageVersion", "3.6.0"),
                plain("term", 3u64.to_be_bytes()),
            ],
            members: vec![member(10, r#","name":"m1","clientURLs":["http://h:2379"]"#), member(11, r#","isLearner":true"#)],
            removed: vec![plain("9f", "removed")],
        }
    }

    fn written(scene: &Scene) -> Vec<u8> {
        let cluster = bucket_inside("cluster", &scene.cluster);
        let pages = |bytes: &[u8]| bytes.len().div_ceil(super::super::testing::PAGE) as u64;
        let root = |members, meta, removed| {
            leaf(
                3,
                &[
                    cluster.clone(),
                    bucket_at("members", members),
                    bucket_at("members_removed", removed),
                    bucket_at("meta", meta),
                ],
            )
        };
        let first = 3 + pages(&root(0, 0, 0));
        let members = leaf(first, &scene.members);
        let second = first + pages(&members);
        let meta = leaf(second, &scene.meta);
        let third = second + pages(&meta);
        file(&[root(first, second, third), members, meta, leaf(third, &scene.removed)])
    }

    fn read(scene: &Scene) -> Result<Contents, ContentsError> {
        Contents::read(written(scene).as_slice())
    }

    fn changed(change: impl FnOnce(&mut Scene)) -> String {
        let mut scene = scene();
        change(&mut scene);
        read(&scene).expect_err("it is not to be believed").to_string()
    }

    #[test]
    fn it_says_how_far_it_goes_and_whose_it_is() {
        let contents = read(&scene()).unwrap();
        assert_eq!((contents.index, contents.term), (77, 3));
        assert_eq!(contents.removed, BTreeSet::from([MemberId(0x9f)]));
        let version = Version { major: 3, minor: 6, patch: 0 };
        assert_eq!((contents.cluster_version, contents.storage_version), (Some(version), Some(version)));
        let [voter, learner] = contents.members.as_slice() else { panic!("{contents:?}") };
        assert_eq!((voter.id, voter.name.as_str(), voter.learner), (MemberId(10), "m1", false));
        assert_eq!((voter.peer_urls.len(), voter.client_urls.len()), (1, 1));
        assert_eq!((learner.id, learner.name.as_str(), learner.learner), (MemberId(11), "", true));
    }

    #[test]
    fn what_is_missing_or_cannot_be_read_is_named() {
        let without = |name: &'static str| changed(|s| s.meta.retain(|(key, ..)| key != name.as_bytes()));
        assert_eq!(without("confState"), ContentsError::Unrecorded.to_string());
        for (key, what) in [("term", "term"), ("consistent_index", "index")] {
            assert_eq!(without(key), format!("the database does not tell its {what}: it is not one of etcd 3.5 or newer"));
        }
        assert_eq!(changed(|s| s.meta[1].1 = vec![0; 8]), "the database's index cannot be read");
        assert_eq!(changed(|s| s.meta[3].1 = vec![1; 7]), "the database's term cannot be read");
        assert_eq!(changed(|s| s.meta[0].1 = b"{".to_vec()), "the database's configuration cannot be read");
        assert_eq!(changed(|s| s.meta[2].1 = b"3.6\n".to_vec()), "the database's storage version cannot be read");
        assert_eq!(changed(|s| s.members[0].1 = b"null".to_vec()), "the database's member list cannot be read");
        assert_eq!(
            changed(|s| s.members[1].0 = b"B".to_vec()),
            "the database is damaged at page 4: its keys are not in their order"
        );
        assert_eq!(changed(|s| s.removed[0].0 = b"09f".to_vec()), "the database's list of removed members cannot be read");
    }

    #[test]
    fn a_change_under_way_is_refused() {
        for more in [r#","auto_leave":true"#, r#","voters_outgoing":[9]"#, r#","learners_next":[9]"#] {
            let conf = format!(r#"{{"voters":[10],"learners":[11]{more}}}"#);
            assert_eq!(changed(|s| s.meta[0].1 = conf.into_bytes()), ContentsError::Changing.to_string());
        }
    }

    #[test]
    fn a_downgrade_is_refused() {
        let written = |text: &str| changed(|s| s.cluster[1].1 = text.as_bytes().to_vec());
        let enabled = written(r#"{"target-version":"3.5.0","enabled":true}"#);
        assert_eq!(enabled, "the cluster is being downgraded to 3.5.0");
        assert_eq!(written("{"), "the database's downgrade cannot be read");
        for odd in ["3.6", "3.6.x", "3.6.0-rc.1", "3.6.0\n", "", "3..0", "3.6.99999999999"] {
            let refused = changed(|s| s.cluster[0].1 = odd.as_bytes().to_vec());
            assert_eq!(refused, "the database's cluster version cannot be read", "{odd}");
        }
    }

    #[test]
    fn one_set_of_ids_and_roles_or_nothing() {
        let conf = |text: &str| changed(|s| s.meta[0].1 = text.as_bytes().to_vec());
        let contradicts = "the database contradicts itself: ";
        let more = conf(r#"{"voters":[10,12],"learners":[11]}"#);
        assert_eq!(more, format!("{contradicts}c is among the voters of its configuration and not of its member list"));
        let other = conf(r#"{"voters":[10,11]}"#);
        assert_eq!(other, format!("{contradicts}b is among the voters of its configuration and not of its member list"));
        let less = conf(r#"{"voters":[10]}"#);
        assert_eq!(less, format!("{contradicts}b is among the learners of its member list and not of its configuration"));
        let nowhere = changed(|s| s.members[0].1 = br#"{"id":10,"peerURLs":null}"#.to_vec());
        assert_eq!(nowhere, "the database's member list cannot be read");
        let nobody = changed(|s| {
            s.members.clear();
            s.meta[0].1 = b"{}".to_vec();
        });
        assert_eq!(nobody, format!("{contradicts}it has no voter"));
        assert_eq!(
            changed(|s| s.removed[0].0 = b"b".to_vec()),
            format!("{contradicts}member b is in its list and was removed")
        );
        let id = changed(|s| s.members[0].1 = br#"{"id":12,"peerURLs":null}"#.to_vec());
        assert_eq!(id, format!("{contradicts}member a is written as member c"));
    }

    proptest! {
        #[test]
        fn damage_is_answered(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let mut file = written(&scene());
            for (at, byte) in changes {
                let at = at.index(file.len());
                file[at] = byte;
            }
            seal(&mut file);
            let _ = Contents::read(file.as_slice());
        }
    }
}
