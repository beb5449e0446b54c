//! `runner plugin unbundle`: an archive into the store, verified, without a network.

use std::path::PathBuf;

use serde_json::json;

use super::plugin_add::only_signature_differs;
use super::plugin_store_args::{KeyArgs, StoreArgs, accept, show, talk};
use super::{Ended, Frame, bad_input};
use crate::pipeline::{Failure, Outcome};
use crate::supply::{self, Candidate, Difference, Digest, Loaded, Lock, SupplyError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The archive
    file: PathBuf,
    /// The digest that the archive must have, as `runner plugin bundle` printed it
    #[arg(long, value_name = "sha256:…")]
    digest: Option<Digest>,
    /// Where to write the policy that is in it
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Accept what differs from what is accepted here: a person has read it
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    key: KeyArgs,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    let key = args.key.key()?;
    let store = args.store.create(&frame.defaults)?;
    let mut change = store.change()?;
    talk(frame)(&format!("verifying and compiling what is in {}", args.file.display()));
    let (file, cache) = (args.file.clone(), frame.defaults.plugin_cache());
    let reading = tokio::task::spawn_blocking(move || Loaded::read(&file, key.as_ref(), cache.as_deref()));
    let loaded = reading.await.map_err(|e| bad_input(format!("the bundle could not be read: {e}")))??;
    if let Some(expected) = args.digest.filter(|digest| *digest != loaded.digest) {
        let what = args.file.display().to_string();
        return Err(SupplyError::WrongDigest { what, found: loaded.digest, expected }.into());
    }
    if let (Some(path), None) = (&args.policy, &loaded.policy) {
        return Err(bad_input(format!("there is no policy in the bundle to write to {}", path.display())));
    }
    let (changed, new) = sort(&loaded.candidates, change.lock());
    for candidate in &new {
        frame.printer.say(candidate.description.to_string().trim_end());
    }
    for (old, candidate) in &changed {
        frame.printer.say(Difference { old, new: &candidate.entry }.to_string().trim_end());
    }
    if !changed.is_empty() {
        accept(frame, "what the bundle changes", "Accept these differences?", args.yes)?;
    }
    write_policy(&args, &loaded)?;
    change.accept(&loaded.candidates)?;
    let names: Vec<&str> = loaded.candidates.iter().map(|candidate| candidate.entry.name.as_str()).collect();
    let mut text = format!("accepted: {} ({})", names.join(", "), store.path().display());
    match (&loaded.policy, &args.policy) {
        (Some(_), Some(path)) => text += &format!("\npolicy: {}", path.display()),
        (Some(_), None) => text += "\nthe bundle has a policy too: --policy FILE writes it",
        (None, _) => {}
    }
    show(frame, &text, &json!({ "accepted": names, "digest": loaded.digest, "policy": args.policy }));
    Ok(Outcome::Joined)
}

/// What differs from what is accepted, and what is new.
fn sort<'a>(candidates: &'a [Candidate], lock: &Lock) -> (Vec<(crate::supply::Entry, &'a Candidate)>, Vec<&'a Candidate>) {
    let (mut changed, mut new) = (Vec::new(), Vec::new());
    for candidate in candidates {
        match lock.get(&candidate.entry.name) {
            Some(old) if only_signature_differs(old, &candidate.entry) => {}
            Some(old) => changed.push((old.clone(), candidate)),
            None => new.push(candidate),
        }
    }
    (changed, new)
}

/// A policy that is there and differs is somebody's work.
fn write_policy(args: &Args, loaded: &Loaded) -> Result<(), Failure> {
    let (Some(path), Some(policy)) = (&args.policy, &loaded.policy) else { return Ok(()) };
    match std::fs::read(path) {
        Ok(there) if there == *policy => Ok(()),
        Ok(_) => Err(bad_input(format!("{} is there, with another content", path.display()))
            .hint("name another file for the bundle's policy, or move this one aside")),
        Err(_) => Ok(supply::write_file(path, policy)?),
    }
}
