//! `runner plugin update`: fetch again, show the difference, ask.

use super::plugin_add::only_signature_differs;
use super::plugin_store_args::{KeyArgs, RegistryArgs, StoreArgs, accept, show, talk};
use super::{Ended, Frame};
use crate::pipeline::Outcome;
use crate::supply::{Candidate, Difference, Digest, Source, SupplyError, Wanted};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The plugin
    name: String,
    /// Another source than the one that it was accepted from
    source: Option<Source>,
    /// The digest that the component must have
    #[arg(long, value_name = "sha256:…")]
    digest: Option<Digest>,
    /// Accept the difference: a person has read it
    #[arg(long)]
    yes: bool,
    /// Accept it without a signature, though the accepted one has one
    #[arg(long, conflicts_with = "key")]
    unsigned: bool,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    let store = args.store.existing(&frame.defaults)?;
    let mut change = store.change()?;
    let old = change.lock().get(&args.name).cloned();
    let old = old.ok_or_else(|| SupplyError::NotLocked(format!("under the name {}", args.name)))?;
    let source = match args.source {
        Some(source) => source,
        None => old.source.parse()?,
    };
    // Whoever signed the accepted one has to have signed the new one, unless a person names another.
    let key = match args.key.key()? {
        Some(key) => Some(key),
        None if args.unsigned => None,
        None => store.key_of(&old)?,
    };
    let wanted = Wanted {
        name: Some(args.name),
        digest: args.digest,
        key,
        signed_as: args.key.signed_as.clone(),
        access: args.registry.access(),
        cache: frame.defaults.plugin_cache(),
    };
    let candidate = Candidate::fetch(&source, &wanted, &talk(frame)).await?;
    let new = &candidate.entry;
    if only_signature_differs(&old, new) && store.verified(&old).is_ok() {
        show(frame, &format!("{} is as it was accepted", old.name), &old);
        return Ok(Outcome::Joined);
    }
    if let Some(note) = moved_tag(&source, &old, new) {
        frame.printer.say(&note);
    }
    // A damaged store is mended without anything new to accept.
    if !only_signature_differs(&old, new) {
        frame.printer.say(Difference { old: &old, new }.to_string().trim_end());
        accept(frame, &format!("the difference of {}", old.name), "Accept this difference?", args.yes)?;
    }
    change.accept(std::slice::from_ref(&candidate))?;
    show(frame, &format!("{} is accepted: {}", new.name, new.digest), new);
    Ok(Outcome::Joined)
}

/// What to say where a tag points elsewhere than when it was accepted.
fn moved_tag(source: &Source, old: &crate::supply::Entry, new: &crate::supply::Entry) -> Option<String> {
    let Source::Oci(reference) = source else { return None };
    let tag = reference.tag.as_ref().filter(|_| old.source == new.source && old.manifest != new.manifest)?;
    let (before, now) = (old.manifest?, new.manifest?);
    Some(format!("the tag {tag} now points to {now}; accepted was {before}"))
}
