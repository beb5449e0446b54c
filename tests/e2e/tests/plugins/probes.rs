//! Measurements, as plugins get them: of this node, and of a real etcd that speaks TLS.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::{Timestamp, ToSpan};
use runner::cluster::etcd::EtcdCluster;
use runner::grants::{Grants, ProbesGrant};
use runner::surroundings::{Ask, Certificate, ClockOffset, Live, Refused, Reply, Site, Surroundings};
use runner::tls::ClientTls;
use runner_harness::{ClientFiles, RealCluster, Scratch, Tls, every_minor, newest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a plugin with these grants is answered: the grants are looked at first, as the host does it.
async fn ask(live: &Live, grant: &ProbesGrant, ask: Ask) -> Result<Reply, Refused> {
    let grants = Grants { probes: Some(grant.clone()), ..Grants::default() };
    grants.permit(&ask)?;
    live.answer("test", &grants, &ask).await
}

async fn kind(live: &Live, grant: &ProbesGrant, question: Ask) -> String {
    ask(live, grant, question).await.map_or_else(|refused| refused.kind, |reply| format!("{reply:?}"))
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path that is text").to_owned()
}

fn fsync(path: &Path) -> Ask {
    Ask::Fsync { directory: text(path), writes: 3 }
}

fn certificates(path: &Path) -> Ask {
    Ask::Certificates { path: text(path) }
}

fn files(files: &ClientFiles) -> ClientTls {
    let ClientFiles { ca, cert, key } = files.clone();
    ClientTls { ca: Some(ca), cert: Some(cert), key: Some(key), server_name: None }
}

/// What runner sees of this cluster.
fn site(cluster: &RealCluster) -> Site {
    let tls = cluster.client_files().as_ref().map(files);
    let etcd = EtcdCluster::new(tls.clone()).expect("files that work");
    Site::new(Arc::new(etcd), cluster.endpoints(), tls)
}

fn members() -> ProbesGrant {
    ProbesGrant { members: true, ..ProbesGrant::default() }
}

#[tokio::test]
async fn a_disk_is_measured_where_it_is_granted_and_left_as_it_was() {
    let scratch = Scratch::new();
    let (data, live) = (scratch.join("data"), Live::default());
    fs::create_dir_all(data.join("member/wal")).unwrap();
    let grant = ProbesGrant { fsync: vec![data.clone()], disk_space: vec![data.clone()], ..ProbesGrant::default() };
    for directory in [data.clone(), data.join("member/wal")] {
        let Ok(Reply::Latency(latency)) = ask(&live, &grant, fsync(&directory)).await else { panic!("a latency") };
        assert_eq!(latency.count, 3);
        assert!(latency.min_us <= latency.median_us && latency.median_us <= latency.max_us);
    }
    assert_eq!(fs::read_dir(data.join("member/wal")).unwrap().count(), 0);
    let space = ask(&live, &grant, Ask::DiskSpace { path: text(&data) }).await;
    assert!(matches!(space, Ok(Reply::Space(space)) if space.total > space.available), "{space:?}");
    assert_eq!(kind(&live, &grant, fsync(&data.join("none"))).await, "not-found");
}

#[tokio::test]
async fn a_measurement_that_nobody_waits_for_ends_and_cleans_up() {
    let scratch = Scratch::new();
    let live = Live::default();
    let grant = ProbesGrant { fsync: vec![scratch.path().to_owned()], ..ProbesGrant::default() };
    let question = Ask::Fsync { directory: text(scratch.path()), writes: 1000 };
    // It may be over by then, on a disk that is none.
    let _ = tokio::time::timeout(Duration::from_millis(2), ask(&live, &grant, question)).await;
    runner_harness::eventually("the probe's file is gone", Duration::from_secs(30), async || {
        match fs::read_dir(scratch.path())?.count() {
            0 => Ok(()),
            n => anyhow::bail!("{n} files"),
        }
    })
    .await;
}

#[tokio::test]
async fn paths_that_lead_out_of_what_was_granted_are_refused() {
    let scratch = Scratch::new();
    let live = Live::default();
    let (granted, outside) = (scratch.join("granted"), scratch.join("outside"));
    for folder in [&granted, &outside, &scratch.join("granted2")] {
        fs::create_dir_all(folder).unwrap();
    }
    symlink(&outside, granted.join("link")).unwrap();
    let grant = ProbesGrant {
        fsync: vec![granted.clone()],
        disk_space: vec![granted.clone()],
        certificates: vec![granted.clone()],
        ..ProbesGrant::default()
    };
    let traversal = Path::new(&text(&granted)).join("../outside");
    let proc = Path::new("/proc/self/root").join(outside.strip_prefix("/").unwrap());
    for (path, expected) in [
        (granted.join("link"), "denied"),
        (scratch.join("granted2"), "denied"),
        (outside.clone(), "denied"),
        (proc, "denied"),
        (traversal, "invalid"),
        ("granted".into(), "invalid"),
    ] {
        for question in [fsync(&path), Ask::DiskSpace { path: text(&path) }, certificates(&path)] {
            assert_eq!(kind(&live, &grant, question.clone()).await, expected, "{question:?}");
        }
    }
    // Not even where all of /proc was granted.
    let proc = ProbesGrant { disk_space: vec!["/proc".into()], ..ProbesGrant::default() };
    let through = Ask::DiskSpace { path: format!("/proc/self/root{}", text(&outside)) };
    assert_eq!(kind(&live, &proc, through).await, "denied");
}

#[tokio::test]
async fn what_was_not_granted_is_not_measured() {
    let live = Live::default();
    let url = || "http://127.0.0.1:1".to_owned();
    for question in [
        fsync(Path::new("/tmp")),
        Ask::DiskSpace { path: "/".into() },
        Ask::Memory,
        Ask::Connect { url: url(), times: 1 },
        Ask::PathMtu { url: url() },
        Ask::ClockOffset { url: url() },
        Ask::CertificatesOf { url: url() },
        certificates(Path::new("/etc/hosts")),
    ] {
        assert_eq!(kind(&live, &ProbesGrant::default(), question.clone()).await, "denied", "{question:?}");
    }
    let memory = ProbesGrant { memory: true, ..ProbesGrant::default() };
    assert!(matches!(ask(&live, &memory, Ask::Memory).await, Ok(Reply::Space(space)) if space.total > 0));
}

#[tokio::test]
async fn certificates_are_shown_and_keys_are_not() {
    let scratch = Scratch::new();
    let live = Live::default();
    let pki = scratch.join("pki");
    runner_harness::write_member(&runner_harness::write_ca(&pki), &pki, "cp-1");
    let grant = ProbesGrant { certificates: vec![pki.clone()], ..ProbesGrant::default() };
    let Ok(Reply::Certificates(found)) = ask(&live, &grant, certificates(&pki.join("server.crt"))).await else {
        panic!("certificates")
    };
    let [Certificate { subject, issuer, names, authority, .. }] = found.as_slice() else { panic!("one: {found:?}") };
    assert!(subject.contains("CN=cp-1") && issuer.contains("CN=etcd-ca") && !authority, "{found:?}");
    assert_eq!(names, &["localhost", "127.0.0.1"]);

    let key = pki.join("server.key");
    let refused = ask(&live, &grant, certificates(&key)).await.unwrap_err();
    assert!(refused.message.ends_with("server.key\" holds no PEM certificate"), "{refused}");
    // Nor where the key itself was granted.
    let key_alone = ProbesGrant { certificates: vec![key.clone()], ..ProbesGrant::default() };
    assert_eq!(kind(&live, &key_alone, certificates(&key)).await, "failed");
    assert_eq!(kind(&live, &key_alone, certificates(&pki.join("server.crt"))).await, "denied");
}

#[tokio::test]
async fn a_member_that_speaks_tls_is_measured() {
    let cluster = RealCluster::start(1, &newest(), Tls::On).await;
    let (live, member) = (Live::new(site(&cluster)), &cluster.members[0]);
    let start = Timestamp::now();
    for url in [&member.client_url, &member.peer_url] {
        let Ok(Reply::Latency(latency)) = ask(&live, &members(), Ask::Connect { url: url.clone(), times: 5 }).await else {
            panic!("{url} was connected to")
        };
        assert!(latency.count == 5 && latency.min_us > 0 && latency.max_us >= latency.min_us, "{latency:?}");

        let shown = ask(&live, &members(), Ask::CertificatesOf { url: url.clone() }).await;
        let Ok(Reply::Certificates(shown)) = shown else { panic!("{url} shows certificates: {shown:?}") };
        assert!(shown[0].subject.contains("CN=m1") && shown[0].issuer.contains("CN=etcd-ca"), "{shown:?}");
        assert!(shown[0].names.contains(&"127.0.0.1".to_owned()));
        assert!(shown[0].not_after_ms > u64::try_from(start.as_millisecond()).unwrap());

        let mtu = ask(&live, &members(), Ask::PathMtu { url: url.clone() }).await;
        assert!(matches!(mtu, Ok(Reply::Mtu(mtu)) if mtu >= 1280), "{mtu:?}");
    }
}

#[tokio::test]
async fn the_clock_of_every_etcd_is_ours_when_it_runs_here() {
    for etcd in every_minor() {
        let cluster = RealCluster::start(1, &etcd, Tls::On).await;
        let (live, member) = (Live::new(site(&cluster)), &cluster.members[0]);
        for url in [&member.client_url, &member.peer_url] {
            let offset = ask(&live, &members(), Ask::ClockOffset { url: url.clone() }).await;
            let Ok(Reply::ClockOffset(offset)) = offset else { panic!("etcd {} at {url}: {offset:?}", etcd.version) };
            // How narrow it is depends on how busy the machine is; that zero lies in it does not.
            assert!(offset.earliest_ms <= 0 && offset.latest_ms >= 0, "etcd {}: {offset:?}", etcd.version);
            assert!(offset.latest_ms - offset.earliest_ms < 3000, "etcd {}: {offset:?}", etcd.version);
        }
    }
}

#[tokio::test]
async fn only_members_and_named_targets_are_measured() {
    let cluster = RealCluster::start(1, &newest(), Tls::On).await;
    let live = Live::new(site(&cluster));
    let member = cluster.members[0].client_url.clone();
    let port = member.rsplit_once(':').unwrap().1.to_owned();
    let question = |url: &str| Ask::PathMtu { url: url.to_owned() };
    // The member's port with one more digit, without one, and another name for its host.
    let prefix = &port[..port.len() - 1];
    for url in
        [format!("https://127.0.0.1:{prefix}"), format!("https://localhost:{port}"), format!("https://127.0.0.2:{port}")]
    {
        assert_eq!(kind(&live, &members(), question(&url)).await, "denied", "{url}");
    }
    assert_eq!(kind(&live, &members(), question(&format!("https://127.0.0.1:{port}@127.0.0.2:1"))).await, "invalid");
    let named = ProbesGrant { targets: vec!["127.0.0.1:2379".into()], ..ProbesGrant::default() };
    assert_eq!(kind(&live, &named, question("https://127.0.0.1:23790")).await, "denied");
    assert_eq!(kind(&live, &named, question(&member)).await, "denied");
    assert_eq!(kind(&live, &named, question("https://127.0.0.1:2379")).await.split('(').next(), Some("Mtu"));
}

#[tokio::test]
async fn a_target_that_does_not_answer_is_told_from_one_that_speaks_otherwise() {
    let scratch = Scratch::new();
    let ca = runner_harness::write_ca(&scratch.join("pki"));
    let mut with_tls = Site::default();
    with_tls.tls = Some(files(&ca.client));
    let live = Live::new(with_tls);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let grant = ProbesGrant { targets: vec![format!("127.0.0.1:{port}")], ..ProbesGrant::default() };
    let (plain, tls) = (format!("http://127.0.0.1:{port}"), format!("https://127.0.0.1:{port}"));
    // Whoever listens without ever accepting is there, as far as TCP knows.
    let connected = ask(&live, &grant, Ask::Connect { url: plain.clone(), times: 2 }).await;
    assert!(matches!(connected, Ok(Reply::Latency(latency)) if latency.count == 2), "{connected:?}");
    assert_eq!(kind(&live, &grant, Ask::Connect { url: tls.clone(), times: 2 }).await, "timeout");
    assert_eq!(kind(&live, &grant, Ask::CertificatesOf { url: plain.clone() }).await, "invalid");
    assert_eq!(kind(&live, &grant, Ask::ClockOffset { url: plain.clone() }).await, "timeout");
    // Bound and not listening: it refuses, and nobody else can come to listen there.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = silent.local_addr().unwrap().port();
    let grant = ProbesGrant { targets: vec![format!("127.0.0.1:{port}")], ..ProbesGrant::default() };
    let (plain, tls) = (format!("http://127.0.0.1:{port}"), format!("https://127.0.0.1:{port}"));
    for question in [
        Ask::Connect { url: plain.clone(), times: 2 },
        Ask::ClockOffset { url: plain },
        Ask::CertificatesOf { url: tls.clone() },
    ] {
        assert_eq!(kind(&live, &grant, question.clone()).await, "unavailable", "{question:?}");
    }
    // Without files there is nothing to shake hands with.
    let refused = ask(&Live::default(), &grant, Ask::Connect { url: tls, times: 1 }).await.unwrap_err();
    assert_eq!(refused.message, "this node has no TLS files for etcd to connect with");
}

#[tokio::test]
async fn a_member_of_another_authority_is_not_taken_for_ours_but_its_certificate_is_shown() {
    let cluster = RealCluster::start(1, &newest(), Tls::On).await;
    let foreign = runner_harness::write_ca(&cluster.scratch.join("foreign"));
    let mut other = Site::default();
    other.tls = Some(files(&foreign.client));
    let live = Live::new(other);
    let url = cluster.members[0].client_url.clone();
    let target = url.strip_prefix("https://").unwrap().to_owned();
    let grant = ProbesGrant { targets: vec![target], ..ProbesGrant::default() };
    assert_eq!(kind(&live, &grant, Ask::Connect { url: url.clone(), times: 1 }).await, "failed");
    assert_eq!(kind(&live, &grant, Ask::ClockOffset { url: url.clone() }).await, "failed");
    let shown = ask(&live, &grant, Ask::CertificatesOf { url }).await;
    assert!(matches!(&shown, Ok(Reply::Certificates(shown)) if shown[0].subject.contains("CN=m1")), "{shown:?}");
}

/// An HTTP server on loopback whose clock is this many seconds ahead of ours.
async fn server_ahead(seconds: i64) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            // A request fits in one read; nothing else is asked here.
            while matches!(stream.read(&mut buffer).await, Ok(n) if n > 0) {
                let theirs = Timestamp::try_from(SystemTime::now()).unwrap() + seconds.seconds();
                let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&theirs).unwrap();
                let answer = format!("HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Length: 2\r\n\r\nno");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    };
    (address, tokio::spawn(serve))
}

#[tokio::test]
async fn a_clock_that_is_off_is_found_to_be_off_by_that() {
    for seconds in [-90, 0, 7] {
        let (target, server) = server_ahead(seconds).await;
        let grant = ProbesGrant { targets: vec![target.clone()], ..ProbesGrant::default() };
        let offset = ask(&Live::default(), &grant, Ask::ClockOffset { url: format!("http://{target}") }).await;
        let Ok(Reply::ClockOffset(ClockOffset { earliest_ms, latest_ms })) = offset else { panic!("{offset:?}") };
        let truth = i32::try_from(-seconds * 1000).unwrap();
        assert!(earliest_ms <= truth && truth <= latest_ms, "{seconds}: {earliest_ms} to {latest_ms}");
        assert!(latest_ms - earliest_ms < 3000, "{seconds}: {earliest_ms} to {latest_ms}");
        server.abort();
    }
}
