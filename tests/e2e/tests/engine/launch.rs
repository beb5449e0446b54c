//! The process launcher with real etcd of every version at hand.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use etcd_client::{Client, MemberAddOptions};
use runner::cluster::MemberId;
use runner::launch::{Ended, MemberConfig, MemberTls, ProcessConfig, ProcessLauncher};
use runner::pipeline::{DataDir, Discard, Guarded, Identity, Launcher, MemberSpec, Running};
use runner_harness::{
    EtcdBinary, RealCluster, Scratch, Tls, etcd_versions, eventually, every_minor, free_port, in_a_process_of_its_own,
    newest, write_member,
};
use rustix::process::{Pid, Signal, getpid, kill_process};

const SOON: Duration = Duration::from_secs(60);

/// A member to launch, with its files in a scratch.
struct Planned {
    config: ProcessConfig,
    spec: MemberSpec,
}

/// The first member of a cluster of its own.
fn first(scratch: &Scratch, name: &str, etcd: &EtcdBinary) -> Planned {
    let folder = scratch.join(name);
    let peer_url = format!("http://127.0.0.1:{}", free_port());
    let client_url = format!("http://127.0.0.1:{}", free_port());
    let member = MemberConfig {
        data_dir: folder.join("data"),
        listen_peer_urls: Some(vec![peer_url.clone()]),
        listen_client_urls: Some(vec![client_url.clone()]),
        metrics_url: Some(format!("http://127.0.0.1:{}", free_port())),
        cluster_token: Some(folder.display().to_string()),
        ..MemberConfig::default()
    };
    let config = ProcessConfig { etcd: etcd.path.clone(), log_file: folder.join("etcd.log"), member };
    let spec = MemberSpec {
        identity: None,
        started: false,
        name: name.to_owned(),
        peer_urls: vec![peer_url.clone()],
        client_urls: vec![client_url],
        initial_cluster: vec![(name.to_owned(), peer_url)],
        existing: false,
    };
    Planned { config, spec }
}

/// The ids of the cluster and of its first member, once it serves.
async fn ids(spec: &MemberSpec, launcher: &ProcessLauncher) -> (u64, u64) {
    eventually("the member to serve", SOON, async || {
        if let Running::No { log } = launcher.running().await {
            panic!("it ended: {log:#?}");
        }
        let mut client = Client::connect(&spec.client_urls, None).await.map_err(|e| e.to_string())?;
        let list = client.member_list().await.map_err(|e| e.to_string())?;
        Ok::<_, String>((list.header().ok_or("no header")?.cluster_id(), list.members()[0].id()))
    })
    .await
}

/// The member with these ids.
fn whose((cluster_id, member_id): (u64, u64)) -> Identity {
    Identity { cluster_id, member_id: MemberId(member_id) }
}

/// A member that nobody is.
const NOBODY: Identity = Identity { cluster_id: 1, member_id: MemberId(1) };

/// The directory goes, too.
const REMOVED: Discard = Discard { folder: true, keep: false };

async fn ended(launcher: &ProcessLauncher) -> Vec<String> {
    eventually("its end", SOON, async || match launcher.running().await {
        Running::No { log } => Ok(log),
        other => Err(format!("{other:?}")),
    })
    .await
}

/// The one process that has this data directory in its arguments.
fn pid_of(data_dir: &Path) -> Pid {
    let wanted = format!("--data-dir={}", data_dir.display());
    let ids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    let found: Vec<_> = ids
        .filter(|id| {
            let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            line.split(|b| *b == 0).any(|argument| argument == wanted.as_bytes())
        })
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    Pid::from_raw(found[0]).unwrap()
}

#[tokio::test]
async fn a_member_of_every_version_is_started_found_again_stopped_and_discarded() {
    for etcd in etcd_versions() {
        let scratch = Scratch::new();
        let Planned { config, spec } = first(&scratch, "n1", &etcd);
        let launcher = ProcessLauncher::new(config.clone());
        launcher.preflight().await.unwrap();
        assert_eq!(launcher.version(), Some(etcd.version.clone()));
        assert_eq!(launcher.data_dir().await.unwrap(), DataDir::Absent);
        assert!(!config.member.data_dir.parent().unwrap().exists(), "a preflight changes nothing");
        launcher.start(&spec).await.unwrap();
        let (cluster_id, member_id) = ids(&spec, &launcher).await;
        let pid = pid_of(&config.member.data_dir);
        launcher.start(&spec).await.unwrap();
        assert_eq!(pid_of(&config.member.data_dir), pid, "a second start starts nothing");
        assert_eq!(std::fs::metadata(&config.member.data_dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(rustix::process::getsid(Some(pid)).unwrap(), pid, "a session of its own");

        // As after a `kill -9` of the runner: nothing is known but the configuration, and that went through the journal.
        let journalled = serde_json::to_string(launcher.config()).unwrap();
        let another = ProcessLauncher::new(serde_json::from_str(&journalled).unwrap());
        assert_eq!(another.running().await, Running::Yes);
        another.preflight().await.unwrap();
        another.start(&spec).await.unwrap();
        assert_eq!(pid_of(&config.member.data_dir), pid);
        let member = DataDir::Member { cluster_id, member_id: MemberId(member_id) };
        assert_eq!(another.data_dir().await.unwrap(), member, "etcd {}", etcd.version);
        assert!(another.data_size().await > 1000);
        let its = whose((cluster_id, member_id));
        let refused = another.discard_data(&its, REMOVED).await.unwrap_err();
        assert!(refused.message.contains("the member's etcd runs"), "{refused}");
        // Whoever asks for another member, of this cluster or not, finds a closed door.
        for other in [NOBODY, Identity { member_id: MemberId(member_id + 1), ..its }, Identity { cluster_id: 1, ..its }] {
            let Guarded::NotOurs(theirs) = another.stop(&other).await.unwrap() else { panic!("stopped for {other:?}") };
            let said = format!("holds the data of member {member_id:x} of cluster {cluster_id:x}");
            assert!(theirs.ends_with(&said), "{theirs}");
        }
        assert_eq!(pid_of(&config.member.data_dir), pid, "it runs on");
        assert_eq!(another.stop(&its).await.unwrap(), Guarded::Done(()));
        assert_eq!(another.stop(&its).await.unwrap(), Guarded::Done(()));
        assert!(matches!(another.discard_data(&NOBODY, REMOVED).await.unwrap(), Guarded::NotOurs(_)));
        assert!(matches!(launcher.running().await, Running::No { .. }));

        launcher.start(&spec).await.unwrap();
        assert_eq!(ids(&spec, &launcher).await, (cluster_id, member_id), "it came back with its data");
        launcher.stop(&its).await.unwrap();
        assert_eq!(launcher.discard_data(&its, REMOVED).await.unwrap(), Guarded::Done(None));
        assert_eq!(launcher.data_dir().await.unwrap(), DataDir::Absent);
        assert!(!config.member.data_dir.exists());
        assert_eq!(launcher.discard_data(&its, REMOVED).await.unwrap(), Guarded::Done(None));
    }
}

#[tokio::test]
async fn a_learner_of_every_minor_joins_over_tls() {
    for etcd in every_minor() {
        let cluster = RealCluster::start(1, &etcd, Tls::On).await;
        let pki = cluster.scratch.join("n2/pki");
        write_member(cluster.tls.as_ref().unwrap(), &pki, "n2");
        let Planned { mut config, mut spec } = first(&cluster.scratch, "n2", &etcd);
        let own_urls = [&mut spec.peer_urls, &mut spec.client_urls];
        let listen_urls = [&mut config.member.listen_peer_urls, &mut config.member.listen_client_urls];
        let urls = own_urls.into_iter().chain(listen_urls.into_iter().flatten()).flatten();
        urls.for_each(|url| *url = url.replace("http:", "https:"));
        config.member.tls = Some(MemberTls {
            ca: pki.join("ca.crt"),
            peer_ca: None,
            peer_cert: pki.join("peer.crt"),
            peer_key: pki.join("peer.key"),
            server_cert: pki.join("server.crt"),
            server_key: pki.join("server.key"),
        });
        spec.existing = true;
        spec.initial_cluster = cluster.initial_cluster();
        spec.initial_cluster.push(("n2".to_owned(), spec.peer_urls[0].clone()));
        let launcher = ProcessLauncher::new(config);
        launcher.preflight().await.unwrap();
        let mut client = cluster.client().await;
        let options = MemberAddOptions::new().with_is_learner();
        let added = client.member_add(spec.peer_urls.clone(), Some(options)).await.unwrap();
        let id = added.member().unwrap().id();
        launcher.start(&spec).await.unwrap();
        eventually("the learner to publish itself", SOON, async || {
            if let Running::No { log } = launcher.running().await {
                panic!("etcd {} ended: {log:#?}", etcd.version);
            }
            let list = client.member_list().await.map_err(|e| e.to_string())?;
            let named = list.members().iter().any(|m| m.id() == id && m.name() == "n2" && m.is_learner());
            if named { Ok(()) } else { Err("it has no name yet".to_owned()) }
        })
        .await;
        let cluster_id = added.header().unwrap().cluster_id();
        let member_id = MemberId(id);
        assert_eq!(launcher.data_dir().await.unwrap(), DataDir::Member { cluster_id, member_id });
        launcher.stop(&Identity { cluster_id, member_id }).await.unwrap();
    }
}

#[tokio::test]
async fn a_start_with_an_old_member_list_ends_with_a_sentence() {
    for etcd in every_minor() {
        let cluster = RealCluster::start(1, &etcd, Tls::Off).await;
        let Planned { config, mut spec } = first(&cluster.scratch, "n2", &etcd);
        // Nobody added it: the list that it is given has one member more than the cluster's.
        spec.existing = true;
        spec.initial_cluster.extend(cluster.initial_cluster());
        let launcher = ProcessLauncher::new(config.clone());
        launcher.start(&spec).await.unwrap();
        let log = ended(&launcher).await;
        let said = format!(
            "the cluster's member list changed while the member started, and it was given the old one (its log: {})",
            config.log_file.display()
        );
        assert_eq!(log.last(), Some(&said), "etcd {}: {log:#?}", etcd.version);
        assert!(log.len() <= 21);
        let left = launcher.data_dir().await.unwrap();
        assert!(matches!(&left, DataDir::Foreign { what } if what == "etcd data without a write-ahead log"), "{left:?}");
        // What it wrote before it had a log is nobody's.
        assert_eq!(launcher.discard_data(&NOBODY, REMOVED).await.unwrap(), Guarded::Done(None));
        assert!(!config.member.data_dir.exists());
    }
}

#[tokio::test]
async fn a_member_whose_log_is_elsewhere_is_nobodys_to_stop_or_discard() {
    for etcd in every_minor() {
        let scratch = Scratch::new();
        let Planned { config, spec } = first(&scratch, "n1", &etcd);
        let data_dir = config.member.data_dir.clone();
        std::fs::create_dir_all(data_dir.parent().unwrap()).unwrap();
        let log = std::fs::File::create(&config.log_file).unwrap();
        let mut by_hand = Command::new(&etcd.path)
            .args(["--name=n1", &format!("--data-dir={}", data_dir.display())])
            .arg(format!("--wal-dir={}", scratch.join("n1/wal").display()))
            .args(
                ["--listen-peer-urls", "--initial-advertise-peer-urls"].map(|flag| format!("{flag}={}", spec.peer_urls[0])),
            )
            .args(["--listen-client-urls", "--advertise-client-urls"].map(|flag| format!("{flag}={}", spec.client_urls[0])))
            .arg(format!("--initial-cluster=n1={}", spec.peer_urls[0]))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let launcher = ProcessLauncher::new(config.clone());
        // For a moment after the `exec` a program has no command line, and nobody waits for somebody else's.
        eventually("its command line", SOON, async || match launcher.running().await {
            Running::No { log } => Err(format!("{log:?}")),
            _ => Ok(()),
        })
        .await;
        let its = whose(ids(&spec, &launcher).await);
        for asked in [its, NOBODY] {
            assert!(matches!(launcher.stop(&asked).await.unwrap(), Guarded::NotOurs(_)), "etcd {}", etcd.version);
        }
        assert!(by_hand.try_wait().unwrap().is_none(), "it runs on");
        by_hand.kill().unwrap();
        by_hand.wait().unwrap();
        for asked in [its, NOBODY] {
            let left = launcher.discard_data(&asked, REMOVED).await.unwrap();
            assert!(matches!(left, Guarded::NotOurs(_)), "etcd {}: {left:?}", etcd.version);
        }
        assert!(config.member.data_dir.join("member/snap/db").is_file());
    }
}

#[tokio::test]
async fn a_flag_that_etcd_does_not_know_ends_with_a_sentence() {
    for etcd in every_minor() {
        let scratch = Scratch::new();
        let Planned { mut config, spec } = first(&scratch, "n1", &etcd);
        config.member.extra_args = vec!["--no-such-flag".to_owned()];
        let launcher = ProcessLauncher::new(config);
        launcher.start(&spec).await.unwrap();
        let log = ended(&launcher).await;
        assert!(log.last().unwrap().starts_with("it does not know one of the flags"), "etcd {}: {log:#?}", etcd.version);
    }
}

#[tokio::test]
async fn a_member_that_was_killed_says_so() {
    let scratch = Scratch::new();
    let Planned { config, spec } = first(&scratch, "n1", &newest());
    let launcher = ProcessLauncher::new(config.clone());
    launcher.start(&spec).await.unwrap();
    ids(&spec, &launcher).await;
    kill_process(pid_of(&config.member.data_dir), Signal::KILL).unwrap();
    let log = ended(&launcher).await;
    assert!(log.last().unwrap().starts_with("it was ended by signal 9"), "{log:#?}");
}

#[tokio::test]
async fn a_stopped_process_can_be_ended() {
    let scratch = Scratch::new();
    let Planned { config, spec } = first(&scratch, "n1", &newest());
    let launcher = ProcessLauncher::new(config.clone());
    launcher.start(&spec).await.unwrap();
    let its = whose(ids(&spec, &launcher).await);
    kill_process(pid_of(&config.member.data_dir), Signal::STOP).unwrap();
    assert_eq!(launcher.running().await, Running::Yes);
    tokio::time::timeout(Duration::from_secs(9), launcher.stop(&its)).await.expect("SIGTERM is enough").unwrap();
    assert!(matches!(launcher.running().await, Running::No { .. }));
}

#[tokio::test]
async fn a_port_in_use_is_said_before_anything_is_written() {
    let scratch = Scratch::new();
    let Planned { config, spec } = first(&scratch, "n1", &newest());
    for taken in [&spec.peer_urls[0], &spec.client_urls[0], config.member.metrics_url.as_ref().unwrap()] {
        let other = std::net::TcpListener::bind(taken.strip_prefix("http://").unwrap()).unwrap();
        let launcher = ProcessLauncher::new(config.clone());
        let said = format!("cannot listen on {taken}: the port is in use");
        assert_eq!(launcher.preflight().await.unwrap_err().message, said);
        assert_eq!(launcher.start(&spec).await.unwrap_err().message, said);
        assert!(!config.member.data_dir.exists() && !config.log_file.exists());
        drop(other);
        // A child that another test starts has this socket too, until its exec.
        eventually("the port to be free", SOON, async || launcher.preflight().await.map_err(|e| e.message)).await;
    }
}

#[tokio::test]
async fn the_data_of_another_cluster_is_recognised() {
    let scratch = Scratch::new();
    let mut found = Vec::new();
    for name in ["a", "b"] {
        let Planned { config, spec } = first(&scratch, name, &newest());
        let launcher = ProcessLauncher::new(config);
        launcher.start(&spec).await.unwrap();
        let (cluster_id, member_id) = ids(&spec, &launcher).await;
        launcher.stop(&whose((cluster_id, member_id))).await.unwrap();
        let member_id = MemberId(member_id);
        assert_eq!(launcher.data_dir().await.unwrap(), DataDir::Member { cluster_id, member_id });
        found.push(cluster_id);
    }
    assert_ne!(found[0], found[1]);
}

#[tokio::test]
async fn a_supervised_member_gets_the_signals_and_its_end_is_told() {
    // Its handlers would take Ctrl-C from every other test of this program.
    if !in_a_process_of_its_own(&[]) {
        return;
    }
    let scratch = Scratch::new();
    let Planned { config, spec } = first(&scratch, "n1", &newest());
    let launcher = ProcessLauncher::new(config.clone());
    assert!(launcher.supervise().await.unwrap_err().message.contains("does not run"));
    launcher.start(&spec).await.unwrap();
    ids(&spec, &launcher).await;
    // Caught by the handlers that the first call has installed; sent until the second call listens and hands one on.
    let signals = async {
        eventually("its end", SOON, async || {
            kill_process(getpid(), Signal::TERM).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            if std::net::TcpStream::connect(spec.client_urls[0].strip_prefix("http://").unwrap()).is_err() {
                Ok(())
            } else {
                Err("it still serves")
            }
        })
        .await;
    };
    let another = ProcessLauncher::new(launcher.config().clone());
    let (end, ()) = tokio::join!(another.supervise(), signals);
    assert_eq!(end.unwrap(), Ended::Signal(15));

    launcher.start(&spec).await.unwrap();
    ids(&spec, &launcher).await;
    let kill = async { kill_process(pid_of(&config.member.data_dir), Signal::KILL).unwrap() };
    let (end, ()) = tokio::join!(launcher.supervise(), kill);
    assert_eq!(end.unwrap(), Ended::Signal(9));
}

/// The test starts itself again with variables that would end etcd, or send it elsewhere.
#[tokio::test]
async fn stray_etcd_variables_do_not_reach_the_member() {
    let stray = [("ETCD_NAME", "stray"), ("ETCD_DATA_DIR", "/nowhere"), ("ETCD_CONFIG_FILE", "/nowhere")];
    if !in_a_process_of_its_own(&stray) {
        return;
    }
    assert_eq!(std::env::var("ETCD_NAME").as_deref(), Ok("stray"));
    let scratch = Scratch::new();
    let Planned { config, spec } = first(&scratch, "n1", &newest());
    let launcher = ProcessLauncher::new(config);
    launcher.preflight().await.unwrap();
    launcher.start(&spec).await.unwrap();
    let its = whose(ids(&spec, &launcher).await);
    launcher.stop(&its).await.unwrap();
}
