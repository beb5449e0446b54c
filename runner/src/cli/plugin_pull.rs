//! `runner plugin pull`: from a registry to a file, verified; accepts nothing.

use std::path::PathBuf;

use serde_json::json;

use super::plugin_store_args::{KeyArgs, RegistryArgs, show, talk};
use super::{Ended, Frame, bad_input};
use crate::pipeline::Outcome;
use crate::supply::{self, Candidate, Digest, Source, Wanted};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// oci://host[:port]/repository[:tag][@sha256:…]
    source: Source,
    /// Where to write it [default: the repository's name, .wasm, here]
    #[arg(long = "to", value_name = "FILE")]
    file: Option<PathBuf>,
    /// The digest that the component must have
    #[arg(long, value_name = "sha256:…")]
    digest: Option<Digest>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(super) async fn run(args: Args, frame: &Frame) -> Ended {
    let Source::Oci(reference) = &args.source else {
        return Err(bad_input(format!("{} is a file already", args.source)).hint("pull takes oci://host/repository:tag"));
    };
    let file = args.file.unwrap_or_else(|| format!("{}.wasm", reference.last_part()).into());
    let wanted = Wanted {
        digest: args.digest,
        key: args.key.key()?,
        signed_as: args.key.signed_as.clone(),
        access: args.registry.access(),
        ..Wanted::default()
    };
    let pulled = Candidate::bytes_of(&args.source, &wanted, &talk(frame)).await?;
    supply::write_file(&file, &pulled.component)?;
    let digest = Digest::of(&pulled.component);
    let manifest = pulled.manifest.map_or_else(String::new, |digest| digest.to_string());
    let text = format!("{}\n  digest    {digest}\n  manifest  {manifest}", file.display());
    show(frame, &text, &json!({ "path": file, "digest": digest, "manifest": manifest }));
    Ok(Outcome::Joined)
}
