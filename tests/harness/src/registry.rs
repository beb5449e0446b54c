//! A real OCI registry on loopback: Debian's `docker-registry`, with everything of it in a scratch folder.

use std::env;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{Scratch, Tls, eventually, free_port, target_dir, write_ca, write_member};

/// On a machine that is busy with other tests.
const START: Duration = Duration::from_secs(60);

/// What the registry takes: a name, its password, and the line of its `htpasswd` (bcrypt).
const USER: &str = "tester";
const PASSWORD: &str = "only-for-tests";
const HTPASSWD: &str = "tester:$2a$04$abcdefghijklmnopqrstuuSOASZ5gFdIXxQU/MI4albXfVKBHc6R2\n";
/// `tester:only-for-tests` in base64.
const AUTH: &str = "dGVzdGVyOm9ubHktZm9yLXRlc3Rz";

/// A running registry. Killed when dropped, or when the test process ends.
pub struct Registry {
    /// `127.0.0.1:port`
    pub host: String,
    /// The certificate of its authority, where it speaks TLS.
    pub ca: Option<PathBuf>,
    /// A folder for `DOCKER_CONFIG` with the right credentials.
    pub docker_config: PathBuf,
    /// Where it keeps what it is given.
    pub storage: PathBuf,
    child: Child,
}

impl Registry {
    /// Starts a registry with its files under `scratch`, with or without TLS, for everybody or only for those with credentials.
    pub async fn start(scratch: &Scratch, name: &str, tls: Tls, with_password: bool) -> Self {
        let folder = scratch.join(name);
        let host = format!("127.0.0.1:{}", free_port());
        fs::create_dir_all(&folder).expect("the folder can be made");
        let ca = (tls == Tls::On).then(|| {
            let files = write_ca(&folder.join("pki"));
            write_member(&files, &folder.join("tls"), "registry");
            files.client.ca
        });
        fs::write(folder.join("htpasswd"), HTPASSWD).expect("the folder can be written");
        let config = folder.join("config.yml");
        fs::write(&config, configuration(&folder, &host, tls, with_password)).expect("the folder can be written");
        let docker_config = docker_config(&folder.join("docker"), &host, AUTH);
        let log = fs::File::create(folder.join("log")).expect("the folder can be written");
        let mut command = Command::new(program());
        // The folder's path is among the arguments: that is how the scratch folder's watchdog finds it.
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REGISTRY_")) {
            command.env_remove(name);
        }
        let child = command.spawn().unwrap_or_else(|e| panic!("the registry does not start: {e}"));
        let mut registry = Self { host, ca, docker_config, storage: folder.join("storage"), child };
        let log = folder.join("log");
        eventually("the registry to listen", START, async || {
            let said = || fs::read_to_string(&log).unwrap_or_default();
            assert!(matches!(registry.child.try_wait(), Ok(None)), "the registry ended\n{}", said());
            TcpStream::connect(&registry.host).map(drop).map_err(|e| format!("{e}\n{}", said()))
        })
        .await;
        registry
    }

    /// `oci://…` of something in it.
    pub fn reference(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.host)
    }

    /// Makes a folder for `DOCKER_CONFIG` with a wrong password for it.
    pub fn wrong_docker_config(&self, folder: &Path) -> PathBuf {
        // `tester:wrong`
        docker_config(folder, &self.host, "dGVzdGVyOndyb25n")
    }

    /// The name that it knows, and its password: neither may ever be printed.
    pub fn secrets(&self) -> [&'static str; 3] {
        [USER, PASSWORD, AUTH]
    }

    /// Where it keeps the bytes of the blob with this digest (`sha256:…`).
    pub fn blob_file(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.storage.join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn docker_config(folder: &Path, host: &str, auth: &str) -> PathBuf {
    fs::create_dir_all(folder).expect("the folder can be made");
    let text = format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#);
    fs::write(folder.join("config.json"), text).expect("the folder can be written");
    folder.to_owned()
}

/// The built registry; `RUNNER_REGISTRY` names another one. Panics with the command that gets it where it is missing.
fn program() -> PathBuf {
    let program = env::var_os("RUNNER_REGISTRY").map(PathBuf::from);
    let program = program.unwrap_or_else(|| target_dir().join("tools/registry/docker-registry"));
    assert!(program.is_file(), "{} is missing: run `cargo xtask setup`", program.display());
    program
}

fn configuration(folder: &Path, host: &str, tls: Tls, with_password: bool) -> String {
    let folder = folder.display();
    let tls = match tls {
        Tls::On => format!("  tls:\n    certificate: {folder}/tls/server.crt\n    key: {folder}/tls/server.key\n"),
        Tls::Off => String::new(),
    };
    let auth = match with_password {
        true => format!("auth:\n  htpasswd:\n    realm: tests\n    path: {folder}/htpasswd\n"),
        false => String::new(),
    };
    format!(
        "version: 0.1\nlog:\n  level: warn\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: \
         {folder}/storage\nhttp:\n  addr: {host}\n  secret: {folder}\n{tls}{auth}"
    )
}
