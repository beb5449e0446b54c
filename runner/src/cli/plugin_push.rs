//! `runner plugin push`: a component into a registry, in the CNCF Wasm layout.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;

use super::plugin_store_args::{RegistryArgs, show, talk};
use super::{Ended, Frame, bad_input};
use crate::pipeline::Failure;
use crate::pipeline::Outcome;
use crate::plugins::{self, Face};
use crate::supply::{self, Digest, Reference, SigningKey};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component
    file: PathBuf,
    /// Where to: oci://host[:port]/repository:tag
    reference: Reference,
    /// Sign it with this key (unencrypted PKCS#8 in PEM; ECDSA P-256 or Ed25519), as `cosign sign --key` would
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    let key = args.sign_key.as_deref().map(SigningKey::read).transpose()?;
    let component = supply::read_file(&args.file, plugins::MAX_SIZE, "the component")?;
    // What nobody could use is not pushed.
    let cache = frame.defaults.plugin_cache();
    let description = plugins::inspect_cached(&args.file, cache.as_deref()).map_err(Failure::bad_input)?;
    if let Some(refused) = description.refusals.first() {
        let mut failure = bad_input(format!("{} {}", args.file.display(), refused.reason));
        failure.hints.clone_from(&refused.hints);
        return Err(failure);
    }
    let face = Face::of(&args.file.display().to_string(), &component).map_err(Failure::bad_input)?;
    let (digest, size) = (Digest::of(&component), component.len());
    let access = args.registry.access();
    let pushed =
        supply::push(component, &face, created(&args.file), &args.reference, &access, key.as_ref(), &talk(frame)).await?;
    let pinned = Reference { digest: Some(pushed.manifest), ..args.reference.clone() };
    if let (Some(before), Some(tag)) = (pushed.before, &args.reference.tag) {
        frame.printer.say(&format!("the tag {tag} now points to {}; before it was {before}", pushed.manifest));
    }
    let signer = key.as_ref().map(|key| key.public().fingerprint());
    let mut text = format!("{pinned}\n  digest    {digest}\n  manifest  {}", pushed.manifest);
    if let Some(signer) = signer {
        text += &format!("\n  signed by {signer}");
    }
    let document = json!({ "reference": pinned.to_string(), "digest": digest, "manifest": pushed.manifest, "size": size, "signer": signer });
    show(frame, &text, &document);
    Ok(Outcome::Joined)
}

/// The time that the artifact says it was made: SOURCE_DATE_EPOCH where that is set, the file's else, so that a second push of the
/// same file gives the same manifest.
fn created(file: &Path) -> String {
    let named = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| Timestamp::from_second(text.parse().ok()?).ok());
    let changed = || {
        let time = std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()?;
        Timestamp::try_from(time).ok().and_then(|time| Timestamp::from_second(time.as_second()).ok())
    };
    named.or_else(changed).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}
