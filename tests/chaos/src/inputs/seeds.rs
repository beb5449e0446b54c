//! Good inputs: what a real join and the plugin commands leave.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use runner_harness::{Node, SOON, Scratch, Spawned, Stage, Tls, guest, newest, write_ca};

/// All that cannot be had from the repository as it is.
pub struct Seeds {
    /// Of a join that came to its end.
    pub journal: Vec<u8>,
    pub(super) recording: Vec<u8>,
    pub(super) wal: Vec<u8>,
    pub(super) metrics: String,
    pub(super) lock: Vec<u8>,
    pub(super) bundle: Vec<u8>,
    pub(super) component: Vec<u8>,
    pub(super) certificate: Vec<u8>,
}

/// The log's header is what is read of it.
const HEADER: usize = 8192;

impl Seeds {
    /// Makes a cluster, joins a node to it with a plugin, accepts and bundles the plugin, and keeps what that leaves.
    pub async fn make(scratch: &Scratch) -> anyhow::Result<Self> {
        let plugin = guest("steady-sync");
        let stage = Stage::set(1, &newest(), Tls::Off).await;
        stage.joined_with(&["--plugins", &plugin.display().to_string()]).await.expect_code(0);
        let node = &stage.node;
        let state = node.state_dir.join(&node.name);
        let wal = one(&node.data_dir.join("member/wal"), "wal")?;
        let (store, bundle) = (scratch.join("store"), scratch.join("bundle.tar.gz"));
        plugin_command(node, &store, &["add".as_ref(), plugin.as_ref()]).await?;
        plugin_command(node, &store, &["bundle".as_ref(), bundle.as_ref()]).await?;
        let mut wal = fs::read(wal)?;
        wal.truncate(HEADER);
        Ok(Self {
            journal: fs::read(state.join("journal"))?,
            recording: fs::read(one(&state, "jsonl")?)?,
            wal,
            metrics: metrics(&node.metrics_url)?,
            lock: fs::read(store.join("plugins.lock"))?,
            bundle: fs::read(bundle)?,
            component: fs::read(plugin)?,
            certificate: fs::read(write_ca(&scratch.join("pki")).client.ca)?,
        })
    }
}

async fn plugin_command(node: &Node, store: &Path, arguments: &[&Path]) -> anyhow::Result<()> {
    let template = node.stateless("plugin");
    let mut command = Command::new(template.get_program());
    command.args(template.get_args()).args(arguments).arg("--store").arg(store);
    for (name, value) in template.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let done = Spawned::start(command).finish(SOON).await;
    ensure!(done.code() == Some(0), "{}", done.stderr);
    Ok(())
}

/// The first file with this extension.
fn one(folder: &Path, extension: &str) -> anyhow::Result<PathBuf> {
    let paths = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = paths.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    paths.sort();
    paths.into_iter().next().with_context(|| format!("no .{extension} in {}", folder.display()))
}

/// What the member shows.
fn metrics(url: &str) -> anyhow::Result<String> {
    let host = url.strip_prefix("http://").context("plain HTTP")?;
    let mut stream = TcpStream::connect(host)?;
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("an HTTP answer")?;
    Ok(body.to_owned())
}
