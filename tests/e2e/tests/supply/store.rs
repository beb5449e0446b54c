//! The way of a plugin from a real registry to its use: pushed, signed, fetched, accepted, locked, bundled; and refused, with its own
//! message each, when anything of it is not as it was accepted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use runner_harness::{Finished, Registry, SOON, Scratch, Spawned, Tls, guest, runner_bin, trust_no_ca};
use serde_json::Value;

/// Keys for these tests alone: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`, and `-algorithm ed25519`.
const KEY: &str = include_str!("keys/key.pem");
const PUBLIC: &str = include_str!("keys/key.pub");
const OTHER_KEY: &str = include_str!("keys/other.pem");
const OTHER_PUBLIC: &str = include_str!("keys/other.pub");

/// A node with a plugin store.
struct Place {
    scratch: Scratch,
    docker: Option<PathBuf>,
    /// The system trusts no CA.
    bare: bool,
}

impl Place {
    fn new() -> Self {
        let place = Self { scratch: Scratch::new(), docker: None, bare: false };
        for (name, text) in [("key.pem", KEY), ("key.pub", PUBLIC), ("other.pem", OTHER_KEY), ("other.pub", OTHER_PUBLIC)] {
            place.scratch.write(name, text);
        }
        place
    }

    fn path(&self, name: &str) -> String {
        self.scratch.join(name).display().to_string()
    }

    fn store(&self) -> PathBuf {
        self.scratch.join("store")
    }

    /// A file of the store that ends like this.
    fn in_store(&self, end: &str) -> PathBuf {
        let entries = fs::read_dir(self.store()).unwrap().flatten().map(|entry| entry.path());
        let found: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(end)).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    /// A copy of a guest, at a path of its own.
    fn copy(&self, of: &str, name: &str) -> String {
        self.scratch.write(name, fs::read(guest(of)).unwrap()).display().to_string()
    }

    async fn runner(&self, args: &[&str]) -> Finished {
        let mut command = Command::new(runner_bin());
        command.args(args).current_dir(self.scratch.path());
        command.env("RUNNER_PLUGIN_DIR", self.store()).env("RUNNER_CACHE_DIR", self.scratch.join("cache"));
        command
            .env("HOME", self.scratch.path())
            .env("DOCKER_CONFIG", self.docker.clone().unwrap_or(self.scratch.join("none")));
        for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(proxy);
        }
        if self.bare {
            trust_no_ca(&mut command);
        }
        Spawned::start(command).finish(SOON).await
    }

    async fn done(&self, args: &[&str]) -> Finished {
        self.runner(args).await.expect_code(0)
    }

    /// The error of a command that is refused, and that it has a hint.
    async fn refused(&self, args: &[&str]) -> String {
        self.failed(args, 2).await
    }

    async fn failed(&self, args: &[&str], code: i32) -> String {
        let ended = self.runner(args).await.expect_code(code);
        assert!(ended.stderr.contains("\nhint: "), "no hint\n{}", ended.stderr);
        let error = ended.stderr.lines().find_map(|line| line.strip_prefix("error: "));
        error.unwrap_or_else(|| panic!("no error\n{}", ended.stderr)).to_owned()
    }

    /// What `runner plugin list` says.
    async fn list(&self) -> Vec<Value> {
        let ended = self.done(&["plugin", "list", "-o", "json"]).await;
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// A policy of one plugin from this source.
    fn policy(&self, source: &str) -> String {
        let text = format!(
            "apiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\nmetadata:\n  name: p\nspec:\n  plugins:\n  - source: {source}\n"
        );
        self.scratch.write("policy.yaml", text).display().to_string()
    }
}

/// Changes one byte in the middle of a file.
fn alter(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn from_a_registry_with_tls_passwords_and_signatures_to_a_policy() {
    let mut place = Place::new();
    let registry = Registry::start(&place.scratch, "registry", Tls::On, true).await;
    let ca = registry.ca.clone().unwrap().display().to_string();
    let reference = registry.reference("plugins/steady-sync:1.0");
    let file = place.copy("steady-sync", "steady-sync.wasm");
    let push = ["plugin", "push", &file, &reference, "--registry-ca", &ca, "--sign-key", &place.path("key.pem")];

    // Nobody knows the authority, nobody has credentials, the credentials are wrong.
    assert!(place.failed(&["plugin", "push", &file, &reference], 13).await.contains("cannot be reached: "));
    assert!(place.refused(&push).await.contains("docker's configuration has no credentials for it"));
    place.docker = Some(registry.wrong_docker_config(&place.scratch.join("wrong")));
    let denied = place.runner(&push).await.expect_code(2);
    assert!(denied.stderr.contains("are not good for it"), "{}", denied.stderr);
    place.docker = Some(registry.docker_config.clone());

    let pushed = place.done(&push).await;
    let manifest = pushed.stdout.lines().find_map(|line| line.trim().strip_prefix("manifest  ")).unwrap().to_owned();
    // A second push of the same file is the same artifact, with one signature.
    place.bare = true;
    assert_eq!(place.done(&push).await.stdout, pushed.stdout);
    place.bare = false;

    let add = ["plugin", "add", &reference, "--registry-ca", &ca, "--key", &place.path("key.pub")];
    let added = place.done(&add).await;
    for said in ["steady-sync is accepted", "roles     promotion", "It is signed by sha256:", "runner:plugin/facts@0.1"] {
        assert!(added.stdout.contains(said), "{said}\n{}", added.stdout);
    }
    assert!(place.done(&add).await.stdout.contains("is accepted already"));
    let listed = place.list().await;
    assert_eq!(listed[0]["manifest"], manifest.as_str());
    assert_eq!(fs::metadata(place.store()).unwrap().permissions().mode() & 0o777, 0o700);

    // From here on without the registry.
    let (host, secrets) = (registry.host.clone(), registry.secrets());
    drop(registry);
    assert!(place.done(&["plugin", "verify"]).await.stdout.contains("good  steady-sync"));
    for source in [reference.clone(), format!("oci://{host}/plugins/steady-sync@{manifest}"), "steady-sync".to_owned()] {
        let checked = place.done(&["policy", "check", &place.policy(&source)]).await;
        assert!(checked.stdout.contains("steady-sync"), "{}", checked.stdout);
    }
    let other = format!("oci://{host}/plugins/steady-sync@sha256:{}", "0".repeat(64));
    assert!(place.refused(&["policy", "check", &place.policy(&other)]).await.contains("asks for the manifest sha256:00"));
    let unknown = format!("oci://{host}/plugins/steady-sync:2.0");
    assert!(place.refused(&["policy", "check", &place.policy(&unknown)]).await.contains("no plugin from oci://"));

    for secret in secrets {
        for said in [&added, &pushed, &denied] {
            assert!(!said.stdout.contains(secret) && !said.stderr.contains(secret), "{secret}");
        }
        let lock = fs::read_to_string(place.store().join("plugins.lock")).unwrap();
        assert!(!lock.contains(secret), "{lock}");
    }
    place.done(&["plugin", "remove", "steady-sync"]).await;
    assert!(place.list().await.is_empty());
    let left: Vec<_> = fs::read_dir(place.store()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.iter().filter(|name| name.to_string_lossy().contains("sha256")).count(), 0, "{left:?}");
}

#[tokio::test]
async fn plain_http_is_asked_for_by_name_and_has_credentials_on_loopback_only() {
    let mut place = Place::new();
    let registry = Registry::start(&place.scratch, "registry", Tls::Off, true).await;
    place.docker = Some(registry.docker_config.clone());
    let reference = registry.reference("a/run-summary:1");
    let file = place.copy("run-summary", "run-summary.wasm");
    assert!(place.failed(&["plugin", "push", &file, &reference], 13).await.contains("cannot be reached"));
    place.bare = true;
    place.done(&["plugin", "push", &file, &reference, "--plain-http"]).await;
    let pulled = place.path("pulled.wasm");
    place.done(&["plugin", "pull", &reference, "--plain-http", "--to", &pulled]).await;
    assert_eq!(fs::read(pulled).unwrap(), fs::read(file).unwrap());
}

/// A large component takes seconds: once.
#[tokio::test]
async fn what_was_inspected_is_compiled_for_whoever_comes_next() {
    let place = Place::new();
    let registry = Registry::start(&place.scratch, "registry", Tls::Off, false).await;
    let reference = registry.reference("a/steady-sync:1");
    let file = place.copy("steady-sync", "steady-sync.wasm");
    let kept = || {
        let files = fs::read_dir(place.scratch.join("cache/plugins")).unwrap().map(|entry| entry.unwrap());
        files.map(|file| (file.file_name(), file.metadata().unwrap().modified().unwrap())).collect::<Vec<_>>()
    };
    let inspect = ["plugin", "inspect", &file];
    let said = place.done(&inspect).await.stdout;
    let compiled = kept();
    assert_eq!(compiled.len(), 1, "{compiled:?}");
    assert_eq!(place.done(&inspect).await.stdout, said);
    place.done(&["plugin", "push", &file, &reference, "--plain-http"]).await;
    assert_eq!(kept(), compiled, "nothing was compiled anew");
}

#[tokio::test]
async fn a_moved_tag_changes_nothing_until_a_person_accepts_it() {
    let place = Place::new();
    let registry = Registry::start(&place.scratch, "registry", Tls::Off, false).await;
    let reference = registry.reference("plugins/gate:1.0");
    let (first, second) = (place.copy("steady-sync", "first.wasm"), place.copy("version-window", "second.wasm"));
    let key = place.path("key.pem");
    let push = |file: String| {
        [&["plugin", "push"], &[file.as_str(), &reference, "--plain-http", "--sign-key", &key][..]]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let run = async |args: Vec<String>| place.done(&args.iter().map(String::as_str).collect::<Vec<_>>()).await;
    run(push(first)).await;
    place.done(&["plugin", "add", &reference, "--plain-http", "--key", &place.path("key.pub")]).await;
    let before = place.list().await;

    let moved = run(push(second)).await;
    assert!(moved.stderr.contains("the tag 1.0 now points to sha256:"), "{}", moved.stderr);
    let policy = place.policy(&reference);
    place.done(&["plugin", "verify"]).await;
    assert!(place.done(&["policy", "check", &policy]).await.stdout.contains("promotion"), "the accepted one is loaded");

    let update = ["plugin", "update", "gate", "--plain-http"];
    let asked = place.runner(&update).await.expect_code(2);
    for said in ["the tag 1.0 now points to", "- digest", "+ digest", "- manifest", "nobody is there to ask", "--yes"] {
        assert!(asked.stderr.contains(said), "{said}\n{}", asked.stderr);
    }
    assert_eq!(place.list().await, before);
    assert!(
        place
            .refused(&["plugin", "add", &reference, "--plain-http", "--key", &place.path("key.pub")])
            .await
            .contains("is locked already")
    );
    place.done(&[&update[..], &["--yes"]].concat()).await;
    let after = place.list().await;
    assert_ne!(after[0]["digest"], before[0]["digest"]);
    assert_eq!(after[0]["signer"]["key"], before[0]["signer"]["key"]);
    assert!(place.done(&["policy", "check", &policy]).await.stdout.contains("health-check"));
    assert!(place.done(&update).await.stdout.contains("is as it was accepted"));
}

#[tokio::test]
async fn whoever_signed_the_accepted_one_signs_the_next() {
    let place = Place::new();
    let registry = Registry::start(&place.scratch, "registry", Tls::Off, false).await;
    let reference = registry.reference("plugins/gate:1.0");
    let file = place.copy("steady-sync", "a.wasm");
    place.done(&["plugin", "push", &file, &reference, "--plain-http"]).await;
    let (key, other) = (place.path("key.pub"), place.path("other.pub"));
    let add = ["plugin", "add", &reference, "--plain-http", "--key", &key];
    assert!(place.refused(&add).await.contains("is not signed, and a signature by sha256:"));
    place.done(&["plugin", "push", &file, &reference, "--plain-http", "--sign-key", &place.path("other.pem")]).await;
    assert!(place.refused(&add).await.contains("has no good signature by sha256:"));
    assert!(place.list().await.is_empty());
    // A second signature beside the first: both keys are good for it now.
    place.done(&["plugin", "push", &file, &reference, "--plain-http", "--sign-key", &place.path("key.pem")]).await;
    place.done(&add).await;
    place.done(&["plugin", "add", &reference, "--plain-http", "--key", &other, "--name", "same"]).await;

    // The next one, signed by the other alone.
    let next = place.copy("version-window", "b.wasm");
    place.done(&["plugin", "push", &next, &reference, "--plain-http", "--sign-key", &place.path("other.pem")]).await;
    let update = ["plugin", "update", "gate", "--plain-http", "--yes"];
    assert!(place.refused(&update).await.contains("has no good signature"));
    let changed = place.done(&[&update[..], &["--key", &other]].concat()).await;
    assert!(changed.stderr.contains("- signed by") && changed.stderr.contains("+ signed by"), "{}", changed.stderr);

    // A mirror keeps the origin's signature, and has to be told so.
    let mirror = Registry::start(&place.scratch, "mirror", Tls::Off, false).await;
    copy_tree(&registry.storage, &mirror.storage);
    let mirrored = mirror.reference("plugins/gate:1.0");
    let add = ["plugin", "add", &mirrored, "--plain-http", "--key", &other, "--name", "mirrored"];
    assert!(place.refused(&add).await.contains("--signed-as accepts a mirror's origin"));
    place.done(&[&add[..], &["--signed-as", &format!("{}/plugins/gate", registry.host)]].concat()).await;
    place.done(&["plugin", "verify"]).await;
}

#[tokio::test]
async fn what_is_not_as_it_was_accepted_is_refused_with_its_own_message() {
    let place = Place::new();
    let registry = Registry::start(&place.scratch, "registry", Tls::Off, false).await;
    let reference = registry.reference("plugins/gate:1.0");
    let file = place.copy("steady-sync", "a.wasm");
    place.done(&["plugin", "push", &file, &reference, "--plain-http", "--sign-key", &place.path("key.pem")]).await;
    let key = place.path("key.pub");
    let add = ["plugin", "add", &reference, "--plain-http", "--key", &key];

    // Altered in the registry.
    let digest = place.done(&["plugin", "inspect", &file, "-o", "json"]).await;
    let digest = serde_json::from_str::<Value>(&digest.stdout).unwrap()["digest"].as_str().unwrap().to_owned();
    let blob = registry.blob_file(&digest);
    alter(&blob);
    assert!(place.refused(&add).await.contains("was asked for"));
    alter(&blob);
    let pin = format!("sha256:{}", "1".repeat(64));
    assert!(place.refused(&[&add[..], &["--digest", &pin]].concat()).await.contains(&pin));
    place.done(&[&add[..], &["--digest", &digest]].concat()).await;

    let policy = place.policy(&reference);
    let check = ["policy", "check", &policy];
    let component = place.in_store(".wasm");
    alter(&component);
    assert!(place.refused(&check).await.contains("the component of gate in the store was changed"));
    assert!(place.runner(&["plugin", "verify"]).await.expect_code(2).stdout.contains("BAD   gate: the component of gate"));
    // An update mends it: nothing new is to be accepted.
    place.done(&["plugin", "update", "gate", "--plain-http"]).await;
    place.done(&check).await;

    let signature = place.in_store(".signature.json");
    alter(&signature);
    assert!(place.refused(&check).await.contains("the signature kept for gate cannot be used: it was changed"));
    alter(&signature);
    fs::set_permissions(&component, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(place.refused(&check).await.contains("others may write to it"));
    fs::remove_file(&component).unwrap();
    std::os::unix::fs::symlink(&file, &component).unwrap();
    assert!(place.refused(&check).await.contains("it is a link"));
    fs::remove_file(&component).unwrap();
    assert!(place.refused(&check).await.contains("is missing from the store"));
    fs::copy(&file, &component).unwrap();
    fs::set_permissions(&component, fs::Permissions::from_mode(0o600)).unwrap();
    place.done(&check).await;

    let lock = place.store().join("plugins.lock");
    let whole = fs::read_to_string(&lock).unwrap();
    for (content, said) in [
        (whole.replace("0.1", "0.2"), "was changed by something other than runner"),
        ("garbage".to_owned(), "is not a lock that runner wrote"),
        (whole[..whole.len() / 2].to_owned(), "is not a lock that runner wrote"),
        (whole.replace("\"version\": 1", "\"version\": 7"), "is of version 7, and this runner knows version 1"),
    ] {
        fs::write(&lock, content).unwrap();
        assert!(place.refused(&check).await.contains(said), "{said}");
        assert!(place.refused(&["plugin", "list"]).await.contains(said), "{said}");
        assert!(place.refused(&["plugin", "remove", "gate"]).await.contains(said), "{said}");
    }
    fs::write(&lock, whole).unwrap();
    fs::set_permissions(place.store(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(place.refused(&check).await.contains("others may write to it"));
    fs::set_permissions(place.store(), fs::Permissions::from_mode(0o700)).unwrap();
    place.done(&check).await;
}

#[tokio::test]
async fn a_file_that_was_accepted_is_the_file_that_is_loaded() {
    let place = Place::new();
    let file = place.copy("version-window", "window.wasm");
    place.done(&["plugin", "add", &file]).await;
    let policy = place.policy("./window.wasm");
    place.done(&["policy", "check", &policy]).await;
    fs::copy(guest("steady-sync"), &file).unwrap();
    let said = place.refused(&["policy", "check", &policy]).await;
    assert!(said.contains("was changed since it was accepted as window"), "{said}");
    // By its name it is what was accepted.
    place.done(&["policy", "check", &place.policy("window")]).await;
    let asked = place.runner(&["plugin", "update", "window"]).await.expect_code(2);
    assert!(asked.stderr.contains("- digest"), "{}", asked.stderr);
    place.done(&["plugin", "update", "window", "--yes"]).await;
    place.done(&["policy", "check", &place.policy("./window.wasm")]).await;
    // What nobody could use is never accepted.
    place.scratch.write("text.wasm", "no");
    assert!(place.refused(&["plugin", "add", &place.path("text.wasm")]).await.contains("is not WebAssembly"));
    assert!(place.refused(&["plugin", "add", &file, "--name", "../x"]).await.contains("cannot be a plugin's name"));
}

#[tokio::test]
async fn a_bundle_carries_everything_to_a_node_without_a_network() {
    let place = Place::new();
    let registry = Registry::start(&place.scratch, "registry", Tls::Off, false).await;
    let reference = registry.reference("plugins/gate:1.0");
    let file = place.copy("steady-sync", "a.wasm");
    place.done(&["plugin", "push", &file, &reference, "--plain-http", "--sign-key", &place.path("key.pem")]).await;
    let key = place.path("key.pub");
    place.done(&["plugin", "add", &reference, "--plain-http", "--key", &key]).await;
    drop(registry);
    let policy = place.policy(&reference);
    let bundle = place.path("bundle.tar.gz");
    place.done(&["plugin", "bundle", &bundle, "--policy", &policy]).await;
    let again = place.path("again.tar.gz");
    place.done(&["plugin", "bundle", &again, "--policy", &policy]).await;
    assert_eq!(fs::read(&bundle).unwrap(), fs::read(&again).unwrap());

    let far = Place::new();
    let to = far.path("policy.yaml");
    let load = ["plugin", "unbundle", &bundle, "--key", &key, "--policy", &to];
    assert!(
        far.refused(&["plugin", "unbundle", &bundle, "--key", &far.path("other.pub")]).await.contains("no good signature")
    );
    assert!(far.list().await.is_empty());
    let loaded = far.done(&load).await;
    assert!(loaded.stderr.contains("roles     promotion"), "{}", loaded.stderr);
    assert_eq!(far.list().await, place.list().await);
    far.done(&["plugin", "verify"]).await;
    far.done(&["policy", "check", &to]).await;
    far.done(&load).await;

    // Another bundle with another gate: a change, which a person accepts.
    let other = Place::new();
    other.done(&["plugin", "add", &other.copy("version-window", "gate.wasm")]).await;
    let changed = far.path("changed.tar.gz");
    other.done(&["plugin", "bundle", &changed]).await;
    let said = far.runner(&["plugin", "unbundle", &changed]).await.expect_code(2);
    assert!(said.stderr.contains("- signed by") && said.stderr.contains("nobody is there to ask"), "{}", said.stderr);
    assert_eq!(far.list().await, place.list().await);

    alter(Path::new(&bundle));
    let said = far.refused(&load).await;
    assert!(said.contains("bundle"), "{said}");
}

#[tokio::test]
async fn two_runners_do_not_change_a_store_at_once() {
    let place = Place::new();
    let file = place.copy("version-window", "a.wasm");
    place.done(&["plugin", "add", &file]).await;
    let store = runner::supply::Store::open(&place.store()).unwrap().unwrap();
    let change = store.change().unwrap();
    assert!(place.refused(&["plugin", "remove", "a"]).await.contains("another runner is changing the plugin store"));
    drop(change);
    place.done(&["plugin", "remove", "a"]).await;
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
