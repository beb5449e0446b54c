//! `--launcher external`: the runner prints the flags, somebody else starts etcd with exactly these.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use runner_harness::{EtcdBinary, SOON, Spawned, Stage, Tls, eventually, every_minor, log_tail, newest, write_member};
use rustix::process::Signal;

/// The member's etcd, started by a person. Killed when dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn stage(etcd: &EtcdBinary, tls: Tls) -> Stage {
    let stage = Stage::set(1, etcd, tls).await;
    if let Some(files) = &stage.cluster.tls {
        // Whoever starts the member brings its certificates, too.
        let folder = stage.node.pki_dir.join("etcd");
        write_member(files, &folder, "new");
        for (from, to) in [(&files.client.cert, "healthcheck-client.crt"), (&files.client.key, "healthcheck-client.key")] {
            std::fs::copy(from, folder.join(to)).expect("it is there");
        }
    }
    stage
}

fn join(stage: &Stage) -> Spawned {
    let mut command = stage.command();
    command.args(["--launcher", "external"]);
    Spawned::start(command)
}

/// The flags, once they are all printed.
async fn printed(runner: &Spawned) -> Vec<String> {
    let ask = async || {
        let said = runner.stderr();
        let after = said.split_once("exactly these flags:\n\n  etcd \\\n").ok_or("not said")?.1;
        let (flags, _) = after.split_once("\n\n").ok_or("not said to the end")?;
        Ok::<_, &str>(flags.lines().map(|l| l.trim().trim_end_matches(" \\").trim_matches('\'').to_owned()).collect())
    };
    eventually("the flags", SOON, ask).await
}

fn start(stage: &Stage, flags: &[String]) -> Started {
    let log = File::create(stage.cluster.scratch.join("new.log")).expect("the folder can be written");
    let mut command = Command::new(&stage.node.binary.path);
    command.args(flags).stdin(Stdio::null()).stderr(log.try_clone().expect("a second handle")).stdout(log);
    Started(command.spawn().expect("etcd runs"))
}

#[tokio::test]
async fn started_with_the_printed_flags_it_becomes_a_voter_on_every_version() {
    for (number, etcd) in every_minor().iter().enumerate() {
        let tls = if number % 2 == 0 { Tls::On } else { Tls::Off };
        let stage = stage(etcd, tls).await;
        let runner = join(&stage);
        let flags = printed(&runner).await;
        assert!(flags.iter().any(|f| f == "--initial-cluster-state=existing"), "{flags:?}");
        let _etcd = start(&stage, &flags);
        let joined = runner.finish(SOON).await;
        let log = log_tail(&stage.cluster.scratch.join("new.log"), 5);
        assert_eq!(joined.code(), Some(0), "etcd {}\n{}\n{log}", etcd.version, joined.stderr);
        stage.assert_joined().await;
    }
}

#[tokio::test]
async fn interrupted_before_it_was_started_it_is_out_of_the_list_again() {
    let stage = stage(&newest(), Tls::On).await;
    let runner = join(&stage);
    printed(&runner).await;
    runner.signal(Signal::INT);
    let ended = runner.finish(SOON).await.expect_code(130);
    assert!(ended.stderr.contains("now: its join is undone, and runner did not start it"), "{}", ended.stderr);
    stage.assert_baseline().await;
}

#[tokio::test]
async fn killed_and_rolled_back_it_is_for_the_person_to_remove_the_data() {
    let stage = stage(&newest(), Tls::On).await;
    let mut runner = join(&stage);
    let flags = printed(&runner).await;
    let mut etcd = start(&stage, &flags);
    runner.event("sync-progress", "", SOON).await;
    runner.kill();
    let back = stage.node.rollback().finish(SOON).await.expect_code(0);
    let told = format!("once it is stopped, move {} aside: member ", stage.node.data_dir.display());
    assert!(back.stderr.contains(&told), "{}", back.stderr);
    assert_eq!(stage.list().await, [(stage.cluster.members[0].peer_url.clone(), false)]);
    assert!(stage.node.data_dir.join("member").is_dir(), "what runner did not start, it does not remove");
    // etcd ends by itself once it learns that it is out; in whatever way, the person can do as told.
    let _ = etcd.0.kill();
    etcd.0.wait().expect("a child of ours");
    std::fs::remove_dir_all(&stage.node.data_dir).expect("a folder");
    stage.assert_baseline().await;
}
