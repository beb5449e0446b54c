//! `runner demo`: a whole join, twice, and a third that is refused, on real etcd on this machine.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::{Ended, Frame, bad_input, signals};
use crate::launch::{ProcessConfig, ProcessLauncher};
use crate::pipeline::{Failure, Launcher, Outcome};
use crate::plugins::{self, PluginSource};
use play::Play;
use stage::Stage;

mod child;
mod fill;
mod play;
mod record;
mod stage;
mod summary;
mod writer;

/// One plugin for each role, by their files' names.
const PLUGINS: [&str; 3] = ["version-window", "steady-sync", "run-summary"];

/// Arguments of `runner demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The etcd binary [default: the one on the PATH]
    #[arg(long, value_name = "FILE", env = "RUNNER_ETCD")]
    etcd: Option<PathBuf>,
    /// The plugins that judge the joins: the reference plugins version-window, steady-sync and run-summary, and others as you like
    #[arg(long, value_name = "PATH", num_args = 1.., value_delimiter = ',')]
    plugins: Vec<PathBuf>,
    /// How much data is in the cluster before anybody joins; every member keeps it on disk twice, below TMPDIR
    // etcd refuses writes when its database reaches 2 GiB.
    #[arg(long, value_name = "MB", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1500))]
    megabytes: u64,
    /// Leave the cluster running at the end, and say how to talk to it and how to end it
    #[arg(long)]
    keep: bool,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    let etcd = args.etcd.unwrap_or_else(|| "etcd".into());
    let launcher = ProcessLauncher::new(ProcessConfig { etcd, ..ProcessConfig::default() });
    let etcd = launcher.config().etcd.clone();
    let Some(version) = launcher.version() else {
        return Err(bad_input(format!("{} is no etcd that runs", etcd.display()))
            .hint("name one with --etcd; `cargo xtask demo` finds or makes one"));
    };
    let plugins = chosen(&args.plugins)?;
    let stage = Stage::new(etcd)?;
    let (count, folder) = (plugins.len(), stage.folder().display().to_string());
    let later = if args.keep { "stays" } else { "is removed at the end" };
    frame.printer.say(&format!("a demo with etcd {version} and {count} plugins; everything is in {folder} and {later}"));

    let interrupt = signals::listen_for_demo(frame.printer);
    let undo = interrupt.undo.clone();
    let mut play = Play::new(frame, stage, plugins, interrupt)?;
    let played = play.all(args.megabytes).await;
    let stage = play.over().await;
    if args.keep && !undo.is_cancelled() {
        frame.printer.say(&stage.how_to_go_on());
        stage.leave();
        return played;
    }
    match (stage.end().await, played) {
        (Ok(()), played) => played,
        (Err(uncleaned), Ok(_)) => Err(uncleaned),
        (Err(uncleaned), Err(first)) => {
            let more = format!("and not everything could be cleaned up: {}", uncleaned.message);
            Err(Failure { outcome: Outcome::Stuck, ..first }.hint(more))
        }
    }
}

/// The plugin files, with the three that the story needs among them.
fn chosen(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let found = plugins::find(paths).map_err(Failure::bad_input)?;
    let names: Vec<String> = found.iter().map(|path| PluginSource { path: path.clone(), name: None }.name()).collect();
    let missing: Vec<&str> = PLUGINS.into_iter().filter(|plugin| !names.iter().any(|name| name == plugin)).collect();
    if missing.is_empty() {
        return Ok(found);
    }
    Err(bad_input(format!("--plugins: {} missing", missing.join(", ")))
        .hint("build them with `cargo xtask guests` and name their files: --plugins target/guests/version-window.wasm …")
        .hint("`cargo xtask demo` does both"))
}

/// Ends with an error as soon as the demo is interrupted.
async fn unless_interrupted<T>(
    undo: &CancellationToken,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = undo.cancelled() => Err(Failure::interrupted()),
        done = work => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_plugins_are_named_with_the_way_to_get_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("steady-sync.wasm");
        std::fs::write(&file, "").unwrap();
        let failure = chosen(&[file]).unwrap_err();
        assert_eq!(failure.message, "--plugins: version-window, run-summary missing");
        assert!(failure.hints[0].contains("cargo xtask guests"));
        assert_eq!(chosen(&[]).unwrap_err().outcome, Outcome::BadInput);
    }
}
