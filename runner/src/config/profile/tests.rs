use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::terms::LauncherKind;

/// What every profile begins with.
const HEAD: &str = "apiVersion = \"runner.dev/v1alpha1\"\nname = \"acme\"\n";

/// A profile that says everything.
const FULL: &str = r#"
apiVersion = "runner.dev/v1alpha1"
name = "acme"
version = "1.2"
root = "/mnt/node"
staleLearner = "Fail"
onApprovalTimeout = "Leave"
adjustable = ["webhook"]

[paths]
pki = "/srv/acme/pki"
data = "/srv/acme/etcd"
state = "/srv/acme/state"
cache = "/srv/acme/cache"
plugins = "/srv/acme/plugins"
manifests = "/srv/acme/manifests"
kubeconfig = "/srv/acme/admin.conf"
etcd = "/opt/acme/etcd"

[ports]
peer = 12380
client = 12379
metrics = 12381

[launcher]
kind = "static-pod"
image = "registry.k8s.io/etcd:3.6.5-0"
unitName = "acme-etcd"
unitDir = "/etc/systemd/system"

[pki]
ca = "etcd/server-ca"
peerCa = "etcd/peer-ca"
server = "etcd/server-client"
peer = "etcd/peer-server-client"
client = "etcd/client"
apiserver = ""

[gate]
maxLag = 20
stability = "1s"
interval = "100ms"

[floors]
maxLag = 50
stability = "500ms"

[timeouts]
approval = "1h"

[names]
namespace = "acme-system"
lease = "acme-join"
progress = "acme-joins"
lock = "/acme.example/join-lock/"

[[plugins]]
source = "embedded:version-window"
settings = { minimum = "3.5.0" }

[[plugins]]
name = "webhook"
source = "plugins/hook.wasm"
digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
failurePolicy = "Fail"
grants.http = [{ hosts = ["hooks.acme.example"] }]

[[banned]]
flag = "--insecure"
reason = "acme's clusters speak TLS"
"#;

fn read(text: &str) -> Result<ProfileFile, crate::config::policy::Mistake> {
    ProfileFile::of_bytes(Path::new("profile.toml"), text.as_bytes())
}

/// What is said of a text after the head, with its hints.
fn said(rest: &str) -> String {
    match read(&format!("{HEAD}{rest}")) {
        Ok(_) => "accepted".to_owned(),
        Err(mistake) => std::iter::once(mistake.to_string()).chain(mistake.hints).collect::<Vec<_>>().join("\n"),
    }
}

#[test]
fn everything_can_be_said() {
    let file = read(FULL).unwrap();
    let profile = &file.profile;
    assert_eq!(file.title(), "acme 1.2 (profile.toml)");
    assert_eq!(profile.paths.data, Some(AbsolutePath("/srv/acme/etcd".into())));
    assert_eq!(profile.launcher.kind, Some(LauncherKind::StaticPod));
    assert_eq!(profile.pki.apiserver, Some(PkiName(String::new())));
    assert_eq!(profile.floors.max_lag, Some(50));
    let names: Vec<String> = profile.plugins.iter().map(Profile::plugin_name).collect();
    assert_eq!(names, ["version-window", "webhook"]);
    assert_eq!(profile.plugins[0].settings["minimum"], "3.5.0");
    assert_eq!(profile.banned[0].reason.0, "acme's clusters speak TLS");
    let at = |keys: &[&str]| file.place(keys).map(|place| place.line);
    assert_eq!(
        (at(&["ports", "client"]), at(&["plugins", "1", "digest"]), at(&["ports", "other"])),
        (Some(22), Some(64), None)
    );
}

#[test]
fn a_name_is_enough() {
    let profile = read(HEAD).unwrap().profile;
    assert_eq!(profile.title(), "acme");
    assert_eq!((profile.paths, profile.ports), (Paths::default(), Ports::default()));
}

#[test]
fn mistakes_of_the_text() {
    insta::assert_snapshot!(said("[paths\n"), @r##"profile.toml:3:7: not valid TOML: unclosed table, expected `]`"##);
    insta::assert_snapshot!(said("[paths]\npkidir = \"/p\"\n"), @r##"
    profile.toml:4:1: paths.pkidir: there is no key `pkidir` here
    did you mean `pki`? there are pki, data, state, cache, plugins, manifests, kubeconfig, etcd
    "##);
    insta::assert_snapshot!(said("[path]\npki = \"/p\"\n"), @r##"
    profile.toml:3:2: path: there is no key `path` here
    did you mean `paths`? there are apiVersion, name, version, root, paths, ports, launcher, pki, gate, timeouts, staleLearner, silentLearner, onApprovalTimeout, floors, names, plugins, adjustable, banned
    "##);
    insta::assert_snapshot!(said("[ports]\npeer = \"2380\"\n"), @r##"profile.toml:4:8: ports.peer: a whole number from 0 to 65535 is expected here, not the text "2380""##);
    insta::assert_snapshot!(said("[ports]\npeer = 70000\n"), @r##"profile.toml:4:8: ports.peer: a whole number from 0 to 65535 is expected here, not `70000`"##);
    insta::assert_snapshot!(said("[launcher]\nkind = \"docker\"\n"), @r##"
    profile.toml:4:8: launcher.kind: `docker` is not one of the values that can stand here
    there are process, static-pod, systemd, external
    "##);
    insta::assert_snapshot!(said("name = \"twice\"\n"), @r##"profile.toml:3:1: not valid TOML: duplicate key"##);
    insta::assert_snapshot!(said("banned = \"--insecure\"\n"), @r##"profile.toml:3:10: banned: a list is expected here, not the text "--insecure""##);
    let head = read("name = \"acme\"\n").unwrap_err();
    insta::assert_snapshot!(format!("{head}\n{}", head.hints.join("\n")), @r##"
    profile.toml:1:1: `apiVersion` is missing
    a profile begins with `apiVersion = "runner.dev/v1alpha1"` and `name = "…"`
    "##);
    let version = read("apiVersion = \"runner.dev/v2\"\nname = \"acme\"\n").unwrap_err();
    insta::assert_snapshot!(format!("{version}\n{}", version.hints.join("\n")), @r##"
    profile.toml:1:14: apiVersion: `runner.dev/v2` is not one of the values that can stand here
    did you mean `runner.dev/v1alpha1`? there are runner.dev/v1alpha1
    "##);
}

#[test]
fn values_that_cannot_be() {
    insta::assert_snapshot!(said("root = \"mnt\"\n"), @r##"profile.toml:3:8: root: "mnt" is not a path from the root on: it begins with `/` and has no `..` in it"##);
    insta::assert_snapshot!(said("[paths]\ndata = \"/var/../etc\"\n"), @r##"profile.toml:4:8: paths.data: "/var/../etc" is not a path from the root on: it begins with `/` and has no `..` in it"##);
    insta::assert_snapshot!(said("[paths]\netcd = \"bin/etcd\"\n"), @r##"profile.toml:4:8: paths.etcd: "bin/etcd" is no program: give its path from the root on, or its name on the PATH"##);
    insta::assert_snapshot!(said("[pki]\nserver = \"etcd/server.crt\"\n"), @r##"profile.toml:4:10: pki.server: "etcd/server.crt" has an ending: write "etcd/server", and `.crt` and `.key` are added"##);
    insta::assert_snapshot!(said("[pki]\nserver = \"/etc/server\"\n"), @r##"profile.toml:4:10: pki.server: "/etc/server" is not below the pki folder: write it as `etcd/server`"##);
    insta::assert_snapshot!(said("[pki]\npeer = \"\"\n"), @r##"profile.toml:4:8: pki.peer: a member needs this certificate: it cannot be none"##);
    insta::assert_snapshot!(said("[names]\nlease = \"Runner_Join\"\n"), @r##"profile.toml:4:9: names.lease: "Runner_Join" cannot be the name of a Kubernetes object: use small letters, digits and `-`"##);
    insta::assert_snapshot!(said("[names]\nlock = \"lock\"\n"), @r##"profile.toml:4:8: names.lock: "lock" cannot begin the lock's keys: write it as `/acme.example/join-lock/`"##);
    insta::assert_snapshot!(said("[launcher]\nunitName = \"etcd.service\"\n"), @r##"profile.toml:4:12: launcher.unitName: "etcd.service" has an ending: write "etcd""##);
    insta::assert_snapshot!(said("[ports]\npeer = 2380\nclient = 2380\n"), @r##"profile.toml:5:10: ports.client: 2380 is the peer port already"##);
    insta::assert_snapshot!(said("[ports]\nclient = 0\n"), @r##"profile.toml:4:10: ports.client: 0 is not a port that others could reach"##);
    insta::assert_snapshot!(said("[gate]\nmaxLag = 100\n[floors]\nmaxLag = 50\n"), @r##"
    profile.toml:4:10: gate.maxLag: 100 is looser than the profile's own floor, 50
    give a number that the floor allows
    "##);
    insta::assert_snapshot!(said("[gate]\nstability = \"100ms\"\n[floors]\nstability = \"500ms\"\n"), @r##"
    profile.toml:4:13: gate.stability: 100ms is looser than the profile's own floor, 500ms
    give a time that the floor allows
    "##);
    insta::assert_snapshot!(said("[timeouts]\nadd = \"0s\"\n"), @r##"profile.toml:4:7: timeouts.add: without any time it cannot be done"##);
}

#[test]
fn plugins_and_flags_that_cannot_be() {
    insta::assert_snapshot!(said("[[plugins]]\nsource = \"hook.wasm\"\n"), @r##"
    profile.toml:3:1: plugins[0].digest: the mandatory plugin hook has no digest
    `runner plugin inspect` prints it: without it whoever may write the component decides what is asked
    "##);
    insta::assert_snapshot!(said("[[plugins]]\nsource = \"embedded:a\"\n[[plugins]]\nsource = \"embedded:b\"\nname = \"a\"\n"), @r##"
    profile.toml:7:8: plugins[1].name: a is the name of plugins[0] already
    the name is how verdicts and policies refer to it: give each plugin its own
    "##);
    insta::assert_snapshot!(said("[[plugins]]\nsource = \"embedded:a\"\nsetings = {}\n"), @r##"
    profile.toml:5:1: plugins[0].setings: there is no key `setings` here
    did you mean `settings`? there are name, source, digest, settings, grants, limits, failurePolicy, mode, order, waivers
    "##);
    insta::assert_snapshot!(said("[[plugins]]\nsource = \"embedded:a\"\n[plugins.limits]\ncpu = \"0s\"\n"), @r##"profile.toml:5:1: plugins[0].limits: with a limit of nothing it cannot be asked"##);
    insta::assert_snapshot!(said("adjustable = [\"b\"]\n[[plugins]]\nsource = \"embedded:a\"\n"), @r##"
    profile.toml:3:15: adjustable[0]: there is no mandatory plugin b whose settings could be said
    there are a
    "##);
    insta::assert_snapshot!(said("[[banned]]\nflag = \"insecure\"\nreason = \"r\"\n"), @r##"profile.toml:4:8: banned[0].flag: "insecure" is not a flag: write its long name, as `--insecure`"##);
    insta::assert_snapshot!(said("[[banned]]\nflag = \"--insecure\"\nreason = \" \"\n"), @r##"profile.toml:5:10: banned[0].reason: a reason is missing: it is what the report shows beside the finding"##);
    insta::assert_snapshot!(said("[[banned]]\nflag = \"--a-b\"\nreason = \"r\"\n[[banned]]\nflag = \"--a-b\"\nreason = \"r\"\n"), @r##"
    profile.toml:7:8: banned[1].flag: --a-b is banned by banned[0] already
    one entry and one reason each
    "##);
}

#[test]
fn what_is_no_text_is_said_with_its_place() {
    let read = |bytes: &[u8]| ProfileFile::of_bytes(Path::new("p"), bytes).unwrap_err().to_string();
    insta::assert_snapshot!(read(b"name = \"\xff\""), @r##"p:1:9: is not text in UTF-8"##);
    assert!(read(&vec![b'#'; 2 << 20]).contains("larger than 1 MiB"));
}

/// Longer would be a hang: the largest file that is read at all takes a fraction of it.
const SOON: Duration = Duration::from_secs(20);

fn is_answered(text: &[u8]) {
    let began = Instant::now();
    if let Err(mistake) = ProfileFile::of_bytes(Path::new("profile.toml"), text) {
        let said = mistake.to_string();
        assert!(said.starts_with("profile.toml") && !said.contains('\n'), "{said}");
    }
    assert!(began.elapsed() < SOON, "{:?} for {:?}", began.elapsed(), String::from_utf8_lossy(text));
}

/// Pieces that mean something in TOML, thrown together.
fn tomlish() -> impl Strategy<Value = String> {
    let pieces = [
        HEAD,
        "[paths]\n",
        "pki = ",
        "[[plugins]]\n",
        "source = ",
        "[plugins.settings]\n",
        "a.b.c = ",
        "\"x\"",
        "'y'",
        "\"\"\"",
        "'''",
        "[",
        "]",
        "{",
        "}",
        "=",
        ",",
        ".",
        "\n",
        "\r\n",
        "\t",
        "#",
        "1979-05-27T07:32:00Z",
        "inf",
        "nan",
        "-0x1",
        "1_000",
        "99999999999999999999",
        "true",
        "\\u0000",
        "\u{0}",
        "\u{feff}",
        "é",
        "[names]\n",
        "[[banned]]\n",
        "flag = \"--x-y\"\n",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        is_answered(&bytes);
    }

    #[test]
    fn any_toml_is_answered(text in tomlish()) {
        is_answered(text.as_bytes());
    }

    #[test]
    fn a_damaged_profile_is_answered(at in 0..FULL.len(), with in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = FULL.as_bytes().to_vec();
        if cut { bytes.truncate(at) } else { bytes[at] = with }
        is_answered(&bytes);
    }

    #[test]
    fn nested_without_end_is_answered(depth in 0usize..5000) {
        is_answered(format!("{HEAD}root = {}", "[".repeat(depth)).as_bytes());
        is_answered(format!("{HEAD}[{}]", vec!["a"; depth.max(1)].join(".")).as_bytes());
        is_answered(format!("{HEAD}root = {}", "{a=".repeat(depth)).as_bytes());
    }
}
