//! `runner plugin bundle`: one archive for nodes without a network.

use std::path::PathBuf;

use serde_json::json;

use super::plugin_store_args::{StoreArgs, show};
use super::{Ended, Frame, bad_input};
use crate::pipeline::Outcome;
use crate::report::human::bytes;
use crate::supply::{self, Bundle, MAX_POLICY};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive to write
    file: PathBuf,
    /// Only these plugins [default: all that are accepted]
    names: Vec<String>,
    /// A policy file to put into it
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: Args, frame: &Frame) -> Ended {
    let store = args.store.existing(&frame.defaults)?;
    let policy = args.policy.map(|path| supply::read_file(&path, MAX_POLICY, "the policy")).transpose()?;
    let bundle = Bundle::collect(&store, &args.names, policy)?;
    let names: Vec<String> = bundle.names().into_iter().map(str::to_owned).collect();
    if names.is_empty() {
        return Err(
            bad_input("no plugin is accepted, so there is nothing to bundle").hint("`runner plugin add SOURCE` first")
        );
    }
    let (digest, size) = bundle.write(&args.file)?;
    let text = format!(
        "{}\n  digest    {digest}\n  size      {}\n  plugins   {}\nOn the other side: runner plugin unbundle {}",
        args.file.display(),
        bytes(size),
        names.join(", "),
        args.file.display()
    );
    show(frame, &text, &json!({ "path": args.file, "digest": digest, "size": size, "plugins": names }));
    Ok(Outcome::Joined)
}
