//! `runner plugin add`: fetch, verify, show, accept.

use super::plugin_store_args::{KeyArgs, RegistryArgs, StoreArgs, show, talk};
use super::{Ended, Frame};
use crate::pipeline::Outcome;
use crate::supply::{Candidate, Difference, Digest, Entry, Source, SupplyError, Wanted};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A component's file, or oci://host[:port]/repository[:tag][@sha256:…]
    source: Source,
    /// Its name in messages, settings and policies [default: its file's or repository's]
    #[arg(long)]
    name: Option<String>,
    /// The digest that the component must have
    #[arg(long, value_name = "sha256:…")]
    digest: Option<Digest>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    let wanted = Wanted {
        name: args.name,
        digest: args.digest,
        key: args.key.key()?,
        signed_as: args.key.signed_as.clone(),
        access: args.registry.access(),
        cache: frame.defaults.plugin_cache(),
    };
    let store = args.store.create(&frame.defaults)?;
    let mut change = store.change()?;
    let candidate = Candidate::fetch(&args.source, &wanted, &talk(frame)).await?;
    let entry = &candidate.entry;
    if let Some(old) = change.lock().get(&entry.name) {
        let difference = Difference { old, new: entry };
        if !only_signature_differs(old, entry) {
            frame.printer.say(&difference.to_string());
            return Err(SupplyError::NameTaken(entry.name.clone()).into());
        }
        store.verified(old)?;
        show(frame, &format!("{} is accepted already", entry.name), old);
        return Ok(Outcome::Joined);
    }
    change.accept(std::slice::from_ref(&candidate))?;
    let signer = match &entry.signer {
        Some(signer) => format!("It is signed by {}.", signer.key),
        None => "No signature was asked for.".to_owned(),
    };
    let text = format!("{}\n{signer}\n{} is accepted: {}", candidate.description, entry.name, store.path().display());
    show(frame, &text, entry);
    Ok(Outcome::Joined)
}

/// Whether two entries say the same, but for the signature itself: ECDSA signs differently each time.
pub(super) fn only_signature_differs(old: &Entry, new: &Entry) -> bool {
    let signer = |entry: &Entry| entry.signer.as_ref().map(|signer| signer.key);
    Entry { signer: None, ..old.clone() } == Entry { signer: None, ..new.clone() } && signer(old) == signer(new)
}
