//! The harness's hosts: reachable, separate, cut off and back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

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
    command.args(["--exact", "network::a_network_that_waits", "--ignored"]).env("RUNNER_TEST_TELL", &tell);
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

#[test]
fn what_one_sends_is_lost_and_what_it_hears_is_not() {
    if !in_a_network_of_its_own() {
        return;
    }
    let scratch = Scratch::new();
    let mut network = Network::enter(&scratch, Family::V4);
    let (one, two) = (network.host(&scratch, "one"), network.host(&scratch, "two"));
    let of = |host: &Host| {
        let socket = host.inside(|| UdpSocket::bind((host.address(), 0))).expect("a port of the host's own address");
        socket.set_read_timeout(Some(SHORT)).expect("a time that is not zero");
        socket
    };
    let (ours, theirs) = (of(&one), of(&two));
    let arrives = |from: &UdpSocket, to: &UdpSocket| {
        from.send_to(b"hello", to.local_addr().expect("it is bound")).expect("the sender is told nothing");
        to.recv(&mut [0; 8]).is_ok()
    };
    assert!(arrives(&ours, &theirs) && arrives(&theirs, &ours));
    one.lose_to(&two);
    assert!(!arrives(&ours, &theirs) && arrives(&theirs, &ours));
    one.find_again(&two);
    assert!(arrives(&ours, &theirs) && arrives(&theirs, &ours));
}

#[test]
fn a_slow_host_takes_its_time() {
    if !in_a_network_of_its_own() {
        return;
    }
    let scratch = Scratch::new();
    let mut network = Network::enter(&scratch, Family::V4);
    let (one, two) = (network.host(&scratch, "one"), network.host(&scratch, "two"));
    let takes = || {
        let listener = two.inside(|| TcpListener::bind((two.address(), 0))).expect("a port of the host's own address");
        let to = listener.local_addr().expect("it is bound");
        let mut sender = one.inside(|| TcpStream::connect_timeout(&to, LONG)).expect("they reach each other");
        let (mut receiver, _) = listener.accept().expect("it was connected");
        let begun = Instant::now();
        let sending = std::thread::spawn(move || sender.write_all(&[0; 250_000]).expect("it is read"));
        receiver.read_exact(&mut [0; 250_000]).expect("it is sent");
        sending.join().expect("it was read");
        begun.elapsed()
    };
    one.slow_down(1_000);
    let slow = takes();
    // 2 Mbit at 1 Mbit/s.
    assert!(slow > Duration::from_millis(1_500), "{slow:?}");
    one.speed_up();
    let fast = takes();
    assert!(fast < slow / 2, "{fast:?} after {slow:?}");
}

#[test]
fn a_small_disk_is_the_hosts_own_and_can_be_full() {
    if !in_a_network_of_its_own() {
        return;
    }
    let scratch = Scratch::new();
    let mut network = Network::enter(&scratch, Family::V4);
    let mut host = network.host(&scratch, "one");
    let disk = scratch.join("one/disk");
    host.small_disk(&disk, 1);
    let write = |megabytes: &str| {
        let mut command = Command::new("dd");
        command
            .args(["if=/dev/zero", "bs=1M", &format!("count={megabytes}")])
            .arg(format!("of={}", disk.join("file").display()));
        host.command(&command).output().expect("dd runs")
    };
    let full = write("2");
    assert!(!full.status.success() && String::from_utf8_lossy(&full.stderr).contains("No space left"), "{full:?}");
    let there = host.path(&disk.join("file"));
    assert_eq!(std::fs::metadata(&there).expect("the test sees it").len(), 1024 * 1024);
    assert!(!disk.join("file").exists(), "nobody else sees it");
    std::fs::remove_file(there).expect("the test may remove it");
    assert!(write("1").status.success());
}
