//! The real adapter against real etcd of every version at hand: what etcd answers, and what becomes of it.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use runner::cluster::etcd::{CONNECT_TIMEOUT, EtcdCluster, READ_TIMEOUT};
use runner::cluster::{Alarm, AlarmKind, Class, Cluster, ClusterError, MemberId, Reason};
use runner::pki::{NodeNames, Pki};
use runner::tls::ClientTls;
use runner_harness::{
    ClientFiles, RealCluster, RealMember, Scratch, Tls, etcd_versions, eventually, every_minor, free_port, newest, write_ca,
};
use tonic::Code;

/// More than any wait here needs, on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(60);

fn tls(files: &ClientFiles) -> ClientTls {
    ClientTls { ca: Some(files.ca.clone()), cert: Some(files.cert.clone()), key: Some(files.key.clone()), server_name: None }
}

fn adapter(cluster: &RealCluster) -> EtcdCluster {
    EtcdCluster::new(cluster.client_files().as_ref().map(tls)).unwrap()
}

fn reason<T>(result: Result<T, ClusterError>) -> Reason {
    result.err().expect("an error").reason
}

/// The code that etcd sends with its refusal, seen without the adapter.
fn code<T>(result: Result<T, etcd_client::Error>) -> Code {
    match result.err().expect("an error") {
        etcd_client::Error::GRpcStatus(status) => status.code(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_version_is_understood() {
    for (number, binary) in etcd_versions().into_iter().enumerate() {
        let with = if number % 2 == 0 { Tls::On } else { Tls::Off };
        let mut cluster = RealCluster::start(1, &binary, with).await;
        let etcd = adapter(&cluster);
        let at = cluster.members[0].client_url.clone();

        let status = etcd.status(&at).await.unwrap();
        assert_eq!(status.version, binary.version);
        assert_eq!(status.leader, Some(status.member_id));
        assert!(!status.learner && status.errors.is_empty(), "{status:?}");
        assert!(status.db_size > 0 && status.db_size_in_use > 0 && status.db_size_in_use <= status.db_size, "{status:?}");
        assert!(status.raft_applied_index > 0 && status.raft_applied_index <= status.raft_index, "{status:?}");
        assert!(status.raft_term > 0 && status.cluster_id > 0, "{status:?}");
        let list = etcd.member_list(&at).await.unwrap();
        assert_eq!(list.cluster_id, status.cluster_id);
        let [member] = list.members.as_slice() else { panic!("{list:?}") };
        assert_eq!((member.id, member.name.as_str(), member.learner), (status.member_id, "m1", false));
        assert_eq!(member.peer_urls, [cluster.members[0].peer_url.clone()]);
        assert_eq!(member.client_urls, std::slice::from_ref(&at));
        etcd.linearizable_read(&at).await.unwrap();
        let metrics = etcd.metrics(&cluster.members[0].metrics_url).await.unwrap();
        assert!(metrics.applied_index.is_some_and(|i| i >= status.raft_applied_index), "{metrics:?}");
        // The client port has the same page, and TLS where the cluster has.
        assert!(etcd.metrics(&at).await.unwrap().applied_index >= metrics.applied_index);

        refusals_of_changes(&etcd, &at, status.member_id, &cluster.members[0].peer_url).await;
        let learner = RealMember::plan("m2", &binary, cluster.scratch.path(), with, &[]);
        a_learner_joins(&etcd, &mut cluster, learner, &at).await;

        a_proposal_is_an_entry(&etcd, &mut cluster, &at).await;
        assert_eq!(etcd.status(&at).await.unwrap().alarms(), []);
        cluster.raise_nospace(0).await;
        let raised = etcd.status(&at).await.unwrap();
        assert_eq!(raised.alarms(), [Alarm { member: status.member_id, kind: AlarmKind::Nospace }], "{raised:?}");
        // An entry can be written all the same.
        etcd.propose(&at).await.unwrap();
    }
}

/// A proposal is one entry of the log, applied by whoever answers, and changes no revision.
async fn a_proposal_is_an_entry(etcd: &EtcdCluster, cluster: &mut RealCluster, at: &str) {
    let revision =
        async |cluster: &RealCluster| cluster.client_of(0).await.get("k", None).await.unwrap().header().unwrap().revision();
    let (before, revised) = (etcd.status(at).await.unwrap(), revision(cluster).await);
    etcd.propose(at).await.unwrap();
    let after = etcd.status(at).await.unwrap();
    assert!(after.raft_applied_index > before.raft_applied_index, "{before:?} {after:?}");
    assert_eq!(revision(cluster).await, revised);
}

/// Everything that etcd refuses while there is one voter.
async fn refusals_of_changes(etcd: &EtcdCluster, at: &str, voter: MemberId, used: &str) {
    let url = |port: u16| vec![format!("http://127.0.0.1:{port}")];
    let unknown = MemberId(0xdead);
    assert_eq!(reason(etcd.add_learner(at, &[used.to_owned()]).await), Reason::PeerUrlExists);
    assert_eq!(reason(etcd.add_learner(at, &["nonsense".to_owned()]).await), Reason::BadUrls);
    assert_eq!(reason(etcd.promote(at, unknown).await), Reason::MemberNotFound);
    assert_eq!(reason(etcd.promote(at, voter).await), Reason::MemberNotLearner);
    assert_eq!(reason(etcd.remove(at, unknown).await), Reason::MemberNotFound);

    let phantom = url(free_port());
    let id = etcd.add_learner(at, &phantom).await.unwrap();
    let list = etcd.member_list(at).await.unwrap();
    let added = list.get(id).unwrap();
    assert!(added.learner && !added.started() && added.client_urls.is_empty() && added.has_peer_urls(&phantom), "{added:?}");
    // etcd makes the id from the URLs and the second, and looks at the id first: the same add again within one second meets
    // its own id.
    let same_second = reason(etcd.add_learner(at, &phantom).await);
    assert!(matches!(same_second, Reason::MemberExists | Reason::PeerUrlExists), "{same_second:?}");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(reason(etcd.add_learner(at, &phantom).await), Reason::PeerUrlExists);
    assert_eq!(reason(etcd.add_learner(at, &url(free_port())).await), Reason::TooManyLearners);
    assert_eq!(reason(etcd.promote(at, id).await), Reason::LearnerNotReady);
    etcd.remove(at, id).await.unwrap();
    assert!(etcd.member_list(at).await.unwrap().get(id).is_none());
    assert_eq!(reason(etcd.remove(at, id).await), Reason::MemberNotFound);
    assert_eq!(reason(etcd.promote(at, id).await), Reason::MemberNotFound);
}

/// A real learner starts, says what a learner says, and is promoted.
async fn a_learner_joins(etcd: &EtcdCluster, cluster: &mut RealCluster, mut learner: RealMember, at: &str) {
    let version = learner.binary.number();
    let id = etcd.add_learner(at, &[learner.peer_url.clone()]).await.unwrap();
    if let (Some(files), Some(pki)) = (&cluster.tls, &learner.pki) {
        runner_harness::write_member(files, pki, &learner.name);
    }
    let mut initial = cluster.initial_cluster();
    initial.push((learner.name.clone(), learner.peer_url.clone()));
    learner.bootstrap(&initial, "existing");
    learner.start();
    let there = learner.client_url.clone();
    let own = eventually("the learner's status", LONG, async || etcd.status(&there).await).await;
    assert!(own.learner && own.member_id == id, "{own:?}");

    // What a learner refuses. The message is the same everywhere; the code is not.
    assert_eq!(reason(etcd.member_list(&there).await), Reason::NotSupportedForLearner);
    assert_eq!(reason(etcd.propose(&there).await), Reason::NotSupportedForLearner);
    assert_eq!(reason(etcd.linearizable_read(&there).await), Reason::NotSupportedForLearner);
    assert_eq!(reason(etcd.promote(&there, id).await), Reason::NotSupportedForLearner);
    cluster.members.push(learner);
    let seen = code(cluster.client_of(1).await.get("k", None).await);
    let expected = if version < (3, 6, 0) { Code::Unavailable } else { Code::FailedPrecondition };
    assert_eq!(seen, expected, "the code of `rpc not supported for learner` on {version:?}");
    let metrics = etcd.metrics(&cluster.members[1].metrics_url).await.unwrap();
    assert!(metrics.applied_index.is_some() && metrics.received_bytes.is_some(), "{metrics:?}");

    eventually("the promotion", LONG, async || match etcd.promote(at, id).await {
        Err(error) if error.class() != Class::Retry => panic!("{error:?}"),
        other => other,
    })
    .await;
    assert!(etcd.member_list(at).await.unwrap().get(id).unwrap().voter());
    assert_eq!(reason(etcd.promote(at, id).await), Reason::MemberNotLearner);
    // The strict check wants every voter connected for 5 s; the new one has just come.
    let another = [format!("http://127.0.0.1:{}", free_port())];
    assert_eq!(reason(etcd.add_learner(at, &another).await), Reason::UnhealthyCluster);
    eventually("the new voter to do its service", LONG, async || etcd.linearizable_read(&there).await).await;
}

/// etcd-client asks for a member list that need not be the newest. The adapter's is, also at a follower.
#[tokio::test]
async fn a_followers_member_list_is_never_old() {
    for binary in every_minor() {
        let cluster = RealCluster::start(3, &binary, Tls::Off).await;
        let etcd = adapter(&cluster);
        let leader = cluster.leader().await;
        let at = &cluster.members[leader].client_url;
        let others: Vec<_> = (0..3).filter(|n| *n != leader).map(|n| &cluster.members[n].client_url).collect();
        for _ in 0..20 {
            let url = [format!("http://127.0.0.1:{}", free_port())];
            let id = eventually("a healthy cluster", LONG, async || etcd.add_learner(at, &url).await).await;
            for other in &others {
                assert!(etcd.member_list(other).await.unwrap().get(id).is_some(), "{} at {other}", binary.version);
            }
            etcd.remove(at, id).await.unwrap();
            for other in &others {
                assert!(etcd.member_list(other).await.unwrap().get(id).is_none(), "{} at {other}", binary.version);
            }
        }
    }
}

#[tokio::test]
async fn a_tls_failure_is_one_clear_sentence() {
    for binary in every_minor() {
        let cluster = RealCluster::start(1, &binary, Tls::On).await;
        let at = cluster.members[0].client_url.clone();
        let good = tls(&cluster.client_files().unwrap());
        let other_ca = write_ca(&cluster.scratch.join("other"));
        let foreign = tls(&other_ca.client);
        let plain = at.replace("https://", "http://");
        let ask = async |files: Option<ClientTls>, at: &str| {
            let etcd = EtcdCluster::new(files).unwrap();
            let start = Instant::now();
            let error = etcd.status(at).await.unwrap_err();
            // A plain connection to a TLS port is only hung up, by some versions; that alone is no proof.
            let told = at != plain || error.reason == Reason::Tls;
            assert_eq!(error.reason, if told { Reason::Tls } else { Reason::ConnectionLost }, "{error:?}");
            assert!(start.elapsed() < READ_TIMEOUT, "it took {:?}: {error}", start.elapsed());
            // The same again, on a new connection.
            assert_eq!(etcd.member_list(at).await.unwrap_err(), error);
            error.message
        };

        let wrong_ca = ask(Some(foreign.clone()), &at).await;
        assert_eq!(
            wrong_ca,
            format!("the endpoint's certificate is not signed by the CA in {}", other_ca.client.ca.display())
        );
        let no_cert = ask(Some(ClientTls { cert: None, key: None, ..good.clone() }), &at).await;
        assert_eq!(no_cert, "the endpoint requires a client certificate, and none was given");
        let refused = ask(Some(ClientTls { ca: good.ca.clone(), ..foreign.clone() }), &at).await;
        assert!(refused.contains("our client certificate"), "{refused}");
        assert!(
            refused.ends_with(&format!("(the CA in {} did not sign it)", good.ca.as_ref().unwrap().display())),
            "{refused}"
        );
        let name = ask(Some(ClientTls { server_name: Some("etcd.example.com".into()), ..good.clone() }), &at).await;
        assert_eq!(name, "the endpoint's certificate is not valid for etcd.example.com: it names localhost, 127.0.0.1");
        assert!(ask(Some(good.clone()), &plain).await.contains("is it https:// rather than http://?"));
        assert!(ask(None, &at).await.contains("no CA certificate was given"));

        // etcd's metrics listener here speaks no TLS.
        let without_tls = cluster.members[0].metrics_url.replace("http://", "https://");
        assert!(ask(Some(good), &without_tls).await.contains("is it http:// rather than https://?"));
    }
}

#[tokio::test]
async fn a_dead_or_silent_endpoint_costs_no_more_than_its_deadline() {
    let slack = Duration::from_secs(2);
    let scratch = Scratch::new();
    let both = EtcdCluster::new(Some(tls(&write_ca(&scratch.join("pki")).client))).unwrap();

    let dead = free_port();
    for scheme in ["http", "https"] {
        let start = Instant::now();
        let error = both.status(&format!("{scheme}://127.0.0.1:{dead}")).await.unwrap_err();
        assert_eq!((error.reason, error.message.as_str()), (Reason::Unreachable, "cannot connect: connection refused"));
        assert!(start.elapsed() < CONNECT_TIMEOUT, "{:?}", start.elapsed());
    }

    // The kernel accepts the connection, nobody ever reads it.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = hole.local_addr().unwrap().port();
    let start = Instant::now();
    let error = both.status(&format!("http://127.0.0.1:{port}")).await.unwrap_err();
    assert_eq!(error.reason, Reason::DeadlineExceeded, "the request was sent: {error:?}");
    assert!(start.elapsed() < READ_TIMEOUT + slack, "{:?}", start.elapsed());
    let start = Instant::now();
    let error = both.status(&format!("https://127.0.0.1:{port}")).await.unwrap_err();
    assert_eq!(error.reason, Reason::Unreachable, "nothing was sent: {error:?}");
    assert!(start.elapsed() < CONNECT_TIMEOUT + slack, "{:?}", start.elapsed());

    // The kernel drops what wants to connect, since the queue is full: as if every packet were lost.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queued.push(stream);
    }
    let start = Instant::now();
    let error = both.status(&format!("http://{address}")).await.unwrap_err();
    assert_eq!((error.reason, error.message.as_str()), (Reason::Unreachable, "cannot connect: no answer within 2s"));
    assert!(start.elapsed() < CONNECT_TIMEOUT + slack, "{:?}", start.elapsed());
    drop((full, queued));

    // One that takes the request and hangs up.
    let closing = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closing.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = closing.accept().unwrap();
        // The preface and what comes with it; then the end.
        let mut preface = [0; 24];
        std::io::Read::read_exact(&mut stream, &mut preface).unwrap();
    });
    let error = both.promote(&format!("http://127.0.0.1:{port}"), MemberId(1)).await.unwrap_err();
    assert_eq!(error.reason, Reason::ConnectionLost, "{error:?}");
    assert!(error.ambiguous());
    server.join().unwrap();
}

#[tokio::test]
async fn a_connection_is_made_anew_after_a_restart_and_after_a_freeze() {
    let mut cluster = RealCluster::start(1, &newest(), Tls::On).await;
    let etcd = adapter(&cluster);
    let at = cluster.members[0].client_url.clone();
    etcd.status(&at).await.unwrap();
    cluster.kill(0);
    let error = etcd.status(&at).await.unwrap_err();
    assert!(matches!(error.reason, Reason::Unreachable | Reason::ConnectionLost), "{error:?}");
    assert_eq!(reason(etcd.status(&at).await), Reason::Unreachable);
    cluster.restart(0).await;
    etcd.status(&at).await.unwrap();

    cluster.pause(0);
    assert_eq!(reason(etcd.status(&at).await), Reason::DeadlineExceeded);
    cluster.resume(0);
    etcd.status(&at).await.unwrap();
}

/// Certificates as runner makes them, on two members that trust each other by them alone.
#[tokio::test]
async fn etcd_of_every_version_runs_on_our_own_certificates() {
    for binary in every_minor() {
        let scratch = Scratch::new();
        let names =
            |name: &str| NodeNames { name: name.into(), ips: vec!["127.0.0.1".parse().unwrap()], ..NodeNames::default() };
        let mut first = RealMember::plan("m1", &binary, scratch.path(), Tls::On, &[]);
        let pki = pki_of(&first);
        pki.ensure_ca().unwrap();
        pki.issue_node(&names("m1")).unwrap();
        first.bootstrap(&[(first.name.clone(), first.peer_url.clone())], "new");
        first.start();
        let etcd = EtcdCluster::new(Some(pki.client_tls())).unwrap();
        eventually("the first member", LONG, async || etcd.linearizable_read(&first.client_url).await).await;

        let mut second = RealMember::plan("m2", &binary, scratch.path(), Tls::On, &[]);
        let there = pki_of(&second);
        std::fs::create_dir_all(there.ca_cert().parent().unwrap()).unwrap();
        std::fs::copy(pki.ca_cert(), there.ca_cert()).unwrap();
        std::fs::copy(pki.ca_key(), there.ca_key()).unwrap();
        assert_eq!(there.issue_node(&names("m2")).unwrap().len(), 4);
        etcd.add_learner(&first.client_url, &[second.peer_url.clone()]).await.unwrap();
        let both = [&first, &second].map(|m| (m.name.clone(), m.peer_url.clone()));
        second.bootstrap(&both, "existing");
        second.start();
        let etcd = EtcdCluster::new(Some(there.client_tls())).unwrap();
        let status = eventually("the second member", LONG, async || etcd.status(&second.client_url).await).await;
        assert!(status.learner);
    }
}

fn pki_of(member: &RealMember) -> Pki {
    Pki::at(member.pki.as_deref().and_then(Path::parent).expect("a member with TLS"))
}
