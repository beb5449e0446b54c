//! The harness's hosts: reachable, separate, cut off and back.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use runner_harness::{Family, Host, Network, SOON, Scratch, eventually, in_a_network_of_its_own};

/// On a machine that is busy with other tests, with a packet sent again.
const LONG: Duration = Duration::from_secs(20);

/// How long is waited for what should not come.
const SHORT: Duration = Duration::from_millis(500);

/// Whether the one at this address takes a connection within this time.
fn reaches(from: &Host, to: SocketAddr, within: Duration) -> bool {
    from.inside(|| TcpStream::connect_timeout(&to, within).is_ok())
}

fn hosts_are_apart_and_on_one_network(family: Family) {
    let scratch = Scratch::new();
    let mut network = Network::enter(&scratch, family);
    let (one, two) = (network.host(&scratch, "one"), network.host(&scratch, "two"));
    assert_eq!(one.addresses.len(), if family == Family::Dual { 2 } else { 1 });
    for address in &one.addresses {
        let listener = one.inside(|| TcpListener::bind((*address, 0))).expect("a port of the host's own address");
        let at = listener.local_addr().expect("it is bound");
        assert!(reaches(&two, at, LONG), "{at}");
        assert!(TcpStream::connect_timeout(&at, LONG).is_ok(), "the test is on the network, too");
        one.partition();
        assert!(!reaches(&two, at, SHORT), "{at} in spite of the partition");
        one.heal();
        assert!(reaches(&two, at, LONG), "{at} after the partition");
    }
    // The same port of both loopbacks: they are not one.
    let ours = one.inside(|| TcpListener::bind("127.0.0.1:2379")).expect("its own loopback");
    let others = two.inside(|| TcpListener::bind("127.0.0.1:2379")).expect("its own loopback");
    drop((ours, others));
    let shown = two.command(Command::new("ip").args(["-brief", "address"])).output().expect("ip runs");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(two.addresses.iter().all(|a| shown.contains(&a.to_string())), "{shown}");
}

#[test]
fn of_ipv4() {
    if in_a_network_of_its_own() {
        hosts_are_apart_and_on_one_network(Family::V4);
    }
}

#[test]
fn of_ipv6() {
    if in_a_network_of_its_own() {
        hosts_are_apart_and_on_one_network(Family::V6);
    }
}

#[test]
fn of_both() {
    if in_a_network_of_its_own() {
        hosts_are_apart_and_on_one_network(Family::Dual);
    }
}

/// What the test below starts and kills: a network that waits to be killed.
#[test]
#[ignore = "the other test starts it as a process of its own"]
fn a_network_that_waits() {
    let scratch = Scratch::new();
    let mut network = Network::enter(&scratch, Family::V4);
    let _host = network.host(&scratch, "one");
    std::fs::write(
        std::env::var_os("RUNNER_TEST_TELL").expect("where to tell"),
        scratch.path().as_os_str().as_encoded_bytes(),
    )
    .expect("the folder can be written");
    std::thread::sleep(Duration::from_secs(600));
}

#[tokio::test]
async fn nothing_is_left_of_a_test_that_is_killed() {
    if !in_a_network_of_its_own() {
        return;
    }
    let scratch = Scratch::new();
    let tell = scratch.join("tell");
    let mut command = Command::new(std::env::current_exe().expect("a test program"));
    command.args(["--exact", "a_network_that_waits", "--ignored"]).env("RUNNER_TEST_TELL", &tell);
    let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("the test program runs");
    let told = eventually("the network", SOON, async || match std::fs::read_to_string(&tell) {
        Ok(path) if !path.is_empty() => Ok(path),
        _ => Err("not yet"),
    });
    let folder = told.await;
    let with_folder = || {
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let lines = entries.filter_map(|e| std::fs::read_to_string(e.path().join("cmdline")).ok());
        lines.filter(|line| line.contains(&folder)).count()
    };
    assert_eq!(with_folder(), 2, "the bridge's process and the host's");
    child.kill().expect("it runs");
    child.wait().expect("a child of ours");
    eventually("its processes to end", SOON, async || match with_folder() {
        0 => Ok(()),
        left => Err(format!("{left} are left")),
    })
    .await;
}
