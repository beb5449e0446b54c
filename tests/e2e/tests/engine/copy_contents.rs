//! The databases that real members of every minor send: whole, read as they are, and refused where they are not.

use std::collections::BTreeSet;

use etcd_client::{Client, MemberAddOptions};
use runner::cluster::{MemberId, Version};
use runner::seed::{Contents, ContentsError, StreamCheck};
use runner_harness::{EtcdBinary, RealCluster, SOON, Tls, eventually, every_minor, newest};

/// Members that come and go, so that their list does not fit on one page.
const REMOVED: usize = 250;

/// What the member sends, checked: the database and its length without the hash.
async fn copied(client: &mut Client) -> Vec<u8> {
    let mut stream = client.snapshot().await.expect("it sends its database");
    let (mut check, mut bytes) = (StreamCheck::default(), Vec::new());
    while let Some(piece) = stream.message().await.expect("it goes on sending") {
        check.push(piece.blob(), piece.remaining_bytes()).expect("it comes to its end");
        bytes.extend_from_slice(piece.blob());
    }
    let length = check.finish().expect("it came whole");
    bytes.truncate(usize::try_from(length).expect("it fits"));
    bytes
}

/// A cluster of three with a learner that has never started.
async fn cluster(etcd: &EtcdBinary) -> RealCluster {
    let cluster = RealCluster::start(3, etcd, Tls::Off).await;
    // etcd takes nobody before its voters have been connected for 5 s.
    let added = async || {
        let learner = MemberAddOptions::new().with_is_learner();
        let added = cluster.client().await.member_add(["http://127.0.0.1:1"], Some(learner)).await;
        added.map_err(|error| error.to_string())
    };
    eventually("a learner", SOON, added).await;
    cluster
}

#[tokio::test]
async fn every_minor_tells_what_a_member_can_be_started_from() {
    for etcd in every_minor() {
        let cluster = cluster(&etcd).await;
        let mut client = cluster.client_of(1).await;
        let before = client.status().await.expect("it answers");
        let bytes = copied(&mut client).await;
        let read = Contents::read(bytes.as_slice());
        if etcd.minor() == "3.4" {
            assert!(matches!(read, Err(ContentsError::Missing(_))), "{read:?}");
            continue;
        }
        let contents = read.unwrap_or_else(|error| panic!("{}: {error}", etcd.version));
        let after = client.status().await.expect("it answers");
        // Read between the two: nothing moves it back, and nobody has moved the leader.
        assert!((before.raft_index()..=after.raft_index()).contains(&contents.index), "{contents:?}");
        assert_eq!(contents.term, after.raft_term(), "{contents:?}");
        let list = client.member_list().await.expect("it answers");
        let listed: BTreeSet<_> =
            list.members().iter().map(|m| (MemberId(m.id()), m.name().to_owned(), m.is_learner())).collect();
        let told: BTreeSet<_> = contents.members.iter().map(|m| (m.id, m.name.clone(), m.learner)).collect();
        assert_eq!(told, listed, "{}", etcd.version);
        let urls = |id: MemberId| {
            list.members().iter().find(|m| m.id() == id.0).map(|m| (m.peer_urls().to_vec(), m.client_urls().to_vec()))
        };
        for member in &contents.members {
            assert_eq!(Some((member.peer_urls.clone(), member.client_urls.clone())), urls(member.id), "{}", etcd.version);
        }
        assert_eq!(contents.removed, BTreeSet::new());
        let minor = Version::parse(&format!("{}.0", etcd.minor())).expect("a version");
        assert_eq!(contents.cluster_version, Some(minor));
        let written = (etcd.minor() != "3.5").then_some(minor);
        assert_eq!(contents.storage_version, written, "{}", etcd.version);
    }
}

#[tokio::test]
async fn many_removed_members_are_read_over_many_pages() {
    let cluster = RealCluster::start(1, &newest(), Tls::Off).await;
    let mut client = cluster.client().await;
    let mut removed = BTreeSet::new();
    for number in 0..REMOVED {
        let learner = MemberAddOptions::new().with_is_learner();
        let added = client.member_add([format!("http://127.0.0.1:{}", number + 1)], Some(learner)).await;
        let Ok(added) = added else { panic!("{added:?}") };
        let id = added.member().expect("a member").id();
        client.member_remove(id).await.expect("it may go");
        removed.insert(MemberId(id));
    }
    let bytes = copied(&mut client).await;
    assert_eq!(Contents::read(bytes.as_slice()).expect("it is sound").removed, removed);
}

/// A byte here, a byte there, in the pages that are read as in others: never a panic, and what is read was checked.
#[tokio::test]
async fn a_damaged_copy_is_never_a_panic() {
    let cluster = cluster(&newest()).await;
    let bytes = copied(&mut cluster.client_of(2).await).await;
    let sound = Contents::read(bytes.as_slice()).expect("it is sound");
    let mut damaged = bytes.clone();
    let mut refused = 0;
    // Behind the metas, which have a checksum.
    for at in 2 * rustix::param::page_size()..bytes.len() {
        damaged[at] ^= 1 << (at % 8);
        match Contents::read(damaged.as_slice()) {
            Ok(_) => {}
            Err(_) => refused += 1,
        }
        damaged[at] = bytes[at];
    }
    // Four pages with a number, a kind and elements, and what stands in JSON.
    assert!(refused > 200, "{refused} of {} are noticed by the structure alone: {sound:?}", bytes.len());
    for cut in (0..bytes.len()).step_by(97) {
        assert!(Contents::read(&bytes[..cut]).is_err(), "{cut}");
    }
}
