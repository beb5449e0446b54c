//! The harness keeps its promises: clusters serve, and nothing outlives a test.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use runner_harness::{RealCluster, Scratch, Tls, etcd_versions, eventually, newest};

#[tokio::test]
async fn a_cluster_of_every_version_serves_with_and_without_tls() {
    for binary in etcd_versions() {
        for tls in [Tls::On, Tls::Off] {
            let cluster = RealCluster::start(1, &binary, tls).await;
            let load = cluster.load().await;
            let mut client = cluster.client().await;
            assert_eq!(client.status().await.unwrap().version(), binary.version);
            eventually("a few writes", Duration::from_secs(10), async || {
                let keys = client.get("load/9", None).await.map_err(|e| e.to_string())?;
                if keys.kvs().is_empty() { Err("none yet".to_owned()) } else { Ok(()) }
            })
            .await;
            load.stop().await.expect_no_failure();
        }
    }
}

#[tokio::test]
async fn members_can_be_killed_stopped_paused_and_restarted() {
    let mut cluster = RealCluster::start(3, &newest(), Tls::On).await;
    let leader = cluster.leader().await;
    cluster.kill(leader);
    let next = cluster.leader().await;
    assert_ne!(next, leader);
    cluster.restart(leader).await;
    cluster.stop(next).await;
    cluster.restart(next).await;
    cluster.pause(next);
    let mut client = cluster.client_of(next).await;
    let answer = tokio::time::timeout(Duration::from_millis(500), client.status()).await;
    assert!(answer.is_err(), "a paused member must not answer: {answer:?}");
    cluster.resume(next);
    cluster.serves(next).await;
    cluster.raise_nospace(0).await;
    let refused = cluster.client().await.put("a", "b", None).await.unwrap_err().to_string();
    assert!(refused.contains("database space exceeded"), "{refused}");
}

#[tokio::test]
async fn a_dropped_scratch_leaves_no_process_and_no_folder() {
    let scratch = Scratch::new();
    let path = scratch.path().to_owned();
    let mut left_behind = sleeper(&path);
    assert!(left_behind.try_wait().unwrap().is_none());
    drop(scratch);
    eventually("its end", Duration::from_secs(10), async || left_behind.try_wait().unwrap().ok_or("it still runs")).await;
    assert!(!path.exists());
}

/// The test starts itself again as the victim, which makes a scratch and an etcd, and is then killed as hard as can be.
#[tokio::test]
async fn a_killed_test_process_leaves_no_process_and_no_folder() {
    let note = Scratch::new();
    let file = note.join("victim");
    if let Some(file) = std::env::var_os("HARNESS_VICTIM") {
        let mut cluster = RealCluster::start(1, &newest(), Tls::Off).await;
        let id = cluster.members[0].id().expect("it runs");
        std::fs::write(file, format!("{id} {}", cluster.scratch.path().display())).unwrap();
        std::future::pending::<()>().await;
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "harness::a_killed_test_process_leaves_no_process_and_no_folder"])
        .env("HARNESS_VICTIM", &file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (etcd, folder) = eventually("the victim's cluster", Duration::from_secs(60), async || {
        let text = std::fs::read_to_string(&file).map_err(|e| e.to_string())?;
        let (id, folder) = text.split_once(' ').ok_or("half written")?;
        Ok::<_, String>((id.to_owned(), folder.to_owned()))
    })
    .await;
    victim.kill().unwrap();
    victim.wait().unwrap();
    eventually("the watchdog", Duration::from_secs(20), async || {
        let cmdline = std::fs::read(format!("/proc/{etcd}/cmdline")).unwrap_or_default();
        let etcd_runs = String::from_utf8_lossy(&cmdline).contains(&folder);
        if etcd_runs || Path::new(&folder).exists() { Err("not tidy yet") } else { Ok(()) }
    })
    .await;
}

fn sleeper(folder: &Path) -> std::process::Child {
    Command::new("tail").arg("-F").arg(folder.join("nothing")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
