//! Joins that must not happen: each ends soon, with one line that says why, a hint and an exit code of its own, and leaves no
//! member and no folder.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use runner_harness::{
    Finished, RealCluster, SOON, Spawned, Stage, Tls, free_port, guest, newest, of_minor, processes_of, write_ca,
};

/// A refusal comes within the ten seconds that discovery has, and what a machine busy with other tests adds.
const BOUND: Duration = Duration::from_secs(60);

/// How a refused join ended: the line with the reason, and the hints.
#[derive(Debug)]
struct Refusal {
    reason: String,
    hints: Vec<String>,
    stderr: String,
}

impl Refusal {
    fn of(ended: Finished, code: i32, outcome: &str) -> Self {
        let ended = ended.expect_code(code);
        assert_eq!(ended.stdout, "", "talk goes to stderr");
        // Lines begin with their time, as for a log.
        let plain = |line: &str| {
            line.split_once("Z ").filter(|(at, _)| at.starts_with("20")).map_or(line.to_owned(), |l| l.1.to_owned())
        };
        let stderr = ended.stderr.lines().map(plain).collect::<Vec<_>>().join("\n");
        let start = format!("{outcome} after ");
        // The run's last line where a run began, else the only error line.
        let reasons: Vec<&str> = stderr
            .lines()
            .filter_map(|l| match outcome {
                "error" => l.strip_prefix("error: "),
                _ => l.strip_prefix(&start)?.split_once(": ").map(|(_, reason)| reason),
            })
            .collect();
        let [reason] = reasons.as_slice() else { panic!("{} reasons\n{stderr}", reasons.len()) };
        let hints: Vec<_> = stderr.lines().filter_map(|l| l.strip_prefix("hint: ")).map(str::to_owned).collect();
        assert!(!hints.is_empty(), "no hint\n{stderr}");
        Self { reason: (*reason).to_owned(), hints, stderr: stderr.clone() }
    }

    fn expect(&self, reason: &str, hint: &str) {
        assert!(self.reason.contains(reason), "{self:#?}");
        assert!(self.hints.iter().any(|h| h.contains(hint)), "{self:#?}");
    }
}

/// The node's join, refused.
async fn refused(stage: &Stage, args: &[&str], code: i32, outcome: &str) -> Refusal {
    refused_at(stage, &stage.cluster.endpoints(), args, code, outcome).await
}

async fn refused_at(stage: &Stage, endpoints: &[String], args: &[&str], code: i32, outcome: &str) -> Refusal {
    let mut command = stage.node.join_for_people(endpoints);
    command.args(args);
    let began = Instant::now();
    let ended = Spawned::start(command).finish(SOON).await;
    let refusal = Refusal::of(ended, code, outcome);
    assert!(began.elapsed() < BOUND, "it took {:?}\n{}", began.elapsed(), refusal.stderr);
    refusal
}

async fn stage(members: usize) -> Stage {
    Stage::set(members, &newest(), Tls::On).await
}

#[tokio::test]
async fn an_alarm() {
    let stage = stage(1).await;
    stage.cluster.raise_nospace(0).await;
    let refusal = refused(&stage, &[], 10, "check-refused").await;
    refusal.expect(
        "an alarm is raised: m1 has reached its database quota (NOSPACE); nothing was changed",
        "etcdctl alarm disarm",
    );
    let checked = Spawned::start(stage.node.check(&stage.cluster.endpoints())).finish(SOON).await;
    Refusal::of(checked, 10, "check-refused").expect("an alarm is raised", "etcdctl alarm disarm");
    stage.assert_baseline().await;
}

#[tokio::test]
async fn a_dead_voter_of_three() {
    // By its own rules 3.4 would refuse the add, and so do the newest: nobody has to find out.
    for etcd in [of_minor("3.4"), newest()] {
        let mut stage = Stage::set(3, &etcd, Tls::On).await;
        stage.cluster.kill(2);
        let refusal = refused(&stage, &[], 10, "check-refused").await;
        refusal.expect(
            "if the new voter fails, 2 of 4 voters remain healthy and 3 are needed; silent now: m3",
            "bring the silent voter back; if it is gone for good, and not only out of reach from here: etcdctl member remove",
        );
        stage.assert_baseline().await;
    }
}

#[tokio::test]
async fn no_quorum() {
    let mut stage = stage(3).await;
    stage.cluster.kill(1);
    stage.cluster.kill(2);
    let refusal = refused(&stage, &[], 13, "unreachable").await;
    assert!(refusal.reason.contains("nothing was changed"), "{refusal:#?}");
    stage.assert_no_trace();
    stage.cluster.restart(1).await;
    stage.assert_baseline().await;
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens() {
    let stage = stage(1).await;
    let nowhere = format!("https://127.0.0.1:{}", free_port());
    let refusal = refused_at(&stage, std::slice::from_ref(&nowhere), &[], 13, "unreachable").await;
    refusal.expect("cannot read the cluster: ", "check that the endpoint is right, that etcd runs there");
    assert!(refusal.reason.contains(&nowhere), "{refusal:#?}");
    stage.assert_baseline().await;
}

#[tokio::test]
async fn an_endpoint_that_swallows_everything() {
    let stage = stage(1).await;
    // Connections are made by the kernel; nobody takes them.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("https://{}", silent.local_addr().expect("an address"));
    let refusal = refused_at(&stage, &[endpoint], &[], 13, "unreachable").await;
    refusal.expect("cannot read the cluster: ", "no firewall is in between");
    stage.assert_baseline().await;
}

#[tokio::test]
async fn a_cluster_that_hangs() {
    let mut stage = stage(1).await;
    stage.cluster.pause(0);
    let refusal = refused(&stage, &[], 13, "unreachable").await;
    refusal.expect("cannot read the cluster: ", "no firewall is in between");
    stage.cluster.resume(0);
    stage.assert_baseline().await;
}

#[tokio::test]
async fn a_ca_that_did_not_sign_the_members() {
    let mut stage = stage(1).await;
    write_ca(&stage.cluster.scratch.join("other/etcd"));
    stage.node = stage.node.clone().with_ca_of(&stage.cluster.scratch.join("other"));
    let began = Instant::now();
    let refusal = refused(&stage, &[], 13, "unreachable").await;
    refusal.expect("cannot read the cluster: ", "the CA must be the one that signed the members' server certificates");
    assert!(began.elapsed() < Duration::from_secs(9), "trying again does not help: {:?}", began.elapsed());
    stage.assert_baseline().await;
}

#[tokio::test]
async fn tls_files_that_are_not_there() {
    let stage = stage(1).await;
    fs::remove_dir_all(&stage.node.pki_dir).expect("it was made");
    let refusal = refused(&stage, &[], 2, "error").await;
    assert!(refusal.reason.contains("ca.crt"), "{refusal:#?}");
    stage.assert_baseline().await;
}

#[tokio::test]
async fn a_peer_url_or_a_name_that_is_taken() {
    let stage = stage(1).await;
    let url = stage.cluster.members[0].peer_url.clone();
    let refusal = refused(&stage, &["--peer-url", &url], 10, "check-refused").await;
    refusal.expect("the port is in use", "see who has it: ss -ltnp");

    // A member that lives elsewhere: the only one of its cluster needs no peer to reach it.
    let elsewhere = format!("https://127.0.0.1:{}", free_port());
    let mut client = stage.cluster.client_of(0).await;
    let id = client.member_list().await.expect("it answers").members()[0].id();
    for (urls, reason, hint) in [
        (vec![elsewhere.clone()], "is a voter with these peer URLs, but", "etcdctl member remove"),
        (vec![elsewhere.clone(), url.clone()], "uses one of the peer URLs already", "give this node's own address"),
    ] {
        client.member_update(id, urls).await.expect("it takes changes");
        let refusal = refused(&stage, &["--peer-url", &elsewhere], 10, "check-refused").await;
        assert!(refusal.reason.starts_with("m1") || refusal.reason.starts_with("member m1"), "{refusal:#?}");
        refusal.expect(reason, hint);
    }
    client.member_update(id, [url]).await.expect("it takes changes");
    stage.assert_baseline().await;

    let mut namesake = stage;
    namesake.node.name = "m1".to_owned();
    let refusal = refused(&namesake, &[], 10, "check-refused").await;
    refusal.expect("the name m1 is taken by member ", "give another --name");
    namesake.assert_baseline().await;
}

#[tokio::test]
async fn a_data_directory_with_somebody_elses_files() {
    let mut stage = stage(1).await;
    let file = stage.node.data_dir.join("wedding.jpg");
    fs::create_dir_all(&stage.node.data_dir).expect("a folder");
    fs::write(&file, "dear").expect("a file");
    let refusal = refused(&stage, &[], 10, "check-refused").await;
    refusal.expect("wedding.jpg", "give another --data-dir");
    assert_eq!(fs::read(&file).expect("it is still there"), b"dear");
    fs::remove_dir_all(&stage.node.data_dir).expect("it was made");

    let mut other = RealCluster::start(1, &newest(), Tls::Off).await;
    other.stop(0).await;
    let clean = stage.node.data_dir.clone();
    stage.node.data_dir.clone_from(&other.members[0].data_dir);
    let refusal = refused(&stage, &[], 10, "check-refused").await;
    refusal.expect("holds the data of member ", "give another --data-dir; or, if no etcd runs from it: move ");
    assert_eq!(processes_of(&stage.node.data_dir), Vec::<String>::new());
    stage.node.data_dir = clean;
    other.restart(0).await;
    stage.assert_baseline().await;
}

#[tokio::test]
async fn an_etcd_that_is_not_there() {
    let stage = stage(1).await;
    let mut node = stage.node.clone();
    node.binary.path = stage.cluster.scratch.join("no/etcd");
    let ended = Spawned::start(node.join_for_people(&stage.cluster.endpoints())).finish(SOON).await;
    let refusal = Refusal::of(ended, 10, "check-refused");
    refusal.expect("no/etcd", "--etcd");
    stage.assert_baseline().await;
}

#[tokio::test]
async fn arguments_that_cannot_be_used() {
    let stage = stage(1).await;
    let plugin = guest("version-window").display().to_string();
    let text = stage.cluster.scratch.write("text.wasm", "not wasm").display().to_string();
    let cases: [(&[&str], &str, &str); 8] = [
        (&["--peer-url", "http://127.0.0.1:1"], "is without TLS", "--insecure"),
        (&["--peer-url", "https://0.0.0.0:1"], "nobody can reach https://0.0.0.0:1", "this node's own address"),
        (&["--plugins", "/nowhere.wasm"], "/nowhere.wasm", ""),
        (&["--plugin-settings", "version-window={}"], "there is no plugin version-window", "no plugins were given"),
        (&["--plugins", &plugin, "--plugin-settings", "version-window=[]"], "the settings must be a JSON object", ""),
        (&["--launcher", "external", "--supervise"], "--supervise needs a member", "leave --launcher away"),
        (
            &["--peer-url", "https://127.0.0.1:7", "--client-url", "https://127.0.0.1:7"],
            "https://127.0.0.1:7 cannot serve both",
            "give two different ports",
        ),
        (&["--cacert", &text], "text.wasm", ""),
    ];
    for (args, reason, hint) in cases {
        let mut command = stage.node.join_for_people(&stage.cluster.endpoints());
        command.args(args);
        let ended = Spawned::start(command).finish(SOON).await.expect_code(2);
        let errors: Vec<_> = ended.stderr.lines().filter(|l| l.starts_with("error: ")).collect();
        assert!(errors.len() == 1 && errors[0].contains(reason), "{args:?}\n{}", ended.stderr);
        let hinted = ended.stderr.lines().any(|l| l.starts_with("hint: ") && l.contains(hint));
        assert!(hint.is_empty() || hinted, "{args:?}\n{}", ended.stderr);
    }
    // clap's own: usage.
    let unknown = stage.joined_with(&["--max-lags", "1"]).await.expect_code(2);
    assert!(unknown.stderr.contains("a similar argument exists: '--max-lag'"), "{}", unknown.stderr);

    // These are only known once the plugin is loaded.
    let refusal = refused(&stage, &["--plugins", &text], 2, "bad-input").await;
    assert!(refusal.reason.contains("text"), "{refusal:#?}");
    let args = ["--plugins", &plugin, "--plugin-settings", r#"version-window={"minimum":7}"#];
    let refusal = refused(&stage, &args, 2, "bad-input").await;
    assert!(refusal.reason.contains("`minimum`"), "{refusal:#?}");
    stage.assert_baseline().await;
}

#[tokio::test]
async fn a_plugin_that_refuses() {
    let stage = stage(1).await;
    let plugin = guest("version-window").display().to_string();
    let args = ["--plugins", &plugin, "--plugin-settings", r#"version-window={"minimum":"9.9.9"}"#];
    let refusal = refused(&stage, &args, 11, "plugin-refused").await;
    refusal.expect("version-window: m1 runs etcd ", "upgrade m1 to 9.9.9 or later first");
    assert!(refusal.reason.ends_with("; nothing was changed"), "{refusal:#?}");
    stage.assert_baseline().await;

    // The learner was added and started by then.
    let plugin = guest("steady-sync").display().to_string();
    let settings = r#"steady-sync={"samples":600,"forMs":100,"rejectAfterMs":200}"#;
    let refusal = refused(&stage, &["--plugins", &plugin, "--plugin-settings", settings], 11, "plugin-refused").await;
    refusal
        .expect("steady-sync: not steady 200 ms after it first was close", "what steady-sync asks for is in its settings");
    assert!(refusal.reason.ends_with("; undone: the cluster is as it was"), "{refusal:#?}");
    stage.assert_baseline().await;
}

#[tokio::test]
async fn a_plugin_that_fails() {
    let stage = stage(1).await;
    let plugin = guest("hostile").display().to_string();
    let settings = |when: &str| format!(r#"hostile={{"when":"{when}","misdeed":"panic-with-a-word"}}"#);
    for (when, undone) in [("check", "; nothing was changed"), ("evaluate", "; undone: the cluster is as it was")] {
        let settings = settings(when);
        let args = ["--plugins", &plugin, "--plugin-settings", &settings];
        let refusal = refused(&stage, &args, 12, "plugin-failed").await;
        refusal.expect("hostile: trapped: it reached `unreachable`", "hostile logged: about to panic");
        assert!(refusal.reason.ends_with(undone), "{refusal:#?}");
        stage.assert_baseline().await;
    }
    let settings = settings("evaluate");
    let args = ["--plugins", &plugin, "--plugin-settings", &settings, "--plugin-failure", "hostile=ignore"];
    let joined = stage.joined_with(&args).await.expect_code(0);
    let ignored = joined.events_of("plugin-verdict").iter().any(|e| e["plugin"] == "hostile" && e["verdict"] == "ignored");
    assert!(ignored, "{}", joined.stdout);
    stage.assert_joined().await;
}

#[tokio::test]
async fn a_quota_below_the_database() {
    let stage = stage(1).await;
    let refusal = refused(&stage, &["--etcd-arg=--quota-backend-bytes=10000"], 10, "check-refused").await;
    refusal.expect("the new member may hold 10000 bytes (--quota-backend-bytes)", "give it the others' quota");
    stage.assert_baseline().await;
}

#[tokio::test]
async fn an_add_that_etcd_can_never_accept() {
    // 3.4 wants every voter connected, however many there are; the newest a quorum of what the cluster would become.
    let mut stage = Stage::set(4, &of_minor("3.4"), Tls::Off).await;
    // Not the leader: while there is none, nobody's rule is known, and the refusal is in other words. Not the first: it is asked for the
    // list afterwards.
    let leader = stage.cluster.leader().await;
    let dead = (1..4).find(|n| *n != leader).unwrap();
    let name = format!("m{}", dead + 1);
    stage.cluster.kill(dead);
    let refusal = refused(&stage, &[], 10, "check-refused").await;
    let reason = format!("adds a member only while all voters have been connected for 5 s; not connected: {name}");
    refusal.expect(&reason, &format!("bring {name} back"));
    let checked = Spawned::start(stage.node.check(&stage.cluster.endpoints())).finish(SOON).await;
    Refusal::of(checked, 10, "check-refused").expect(&format!("not connected: {name}"), "etcdctl member remove");
    stage.assert_baseline().await;
}
