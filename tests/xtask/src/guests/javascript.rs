//! JavaScript and TypeScript guests: `tests/guests/js/<world>.mjs` or `.ts` becomes `js-<world>.wasm`.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{entries, stamp::Guest, stem};
use crate::{context::Context, process, setup::node};

/// Builds those that are there and have changed.
pub(super) fn build(context: &Context) -> Result<()> {
    for source in entries(&context.source("tests/guests/js")) {
        let typescript = match source.extension().and_then(|extension| extension.to_str()) {
            Some("mjs" | "js") => false,
            Some("ts") => true,
            _ => continue,
        };
        let inputs: [PathBuf; 2] = [source.clone(), context.source("tests/tools/node/package-lock.json")];
        let guest = Guest { name: format!("js-{}", stem(&source)), inputs: &inputs };
        guest.build(context, |scratch| {
            let script = if typescript { bundle(context, &source, scratch)? } else { source.clone() };
            let mut command = node::command(context, "componentize-qjs");
            command.arg("-w").arg(context.source("wit")).args(["-n", &stem(&source)]).arg("-j").arg(script);
            // Without `--sync` the component needs the asynchronous ABI, which runner's host does not offer.
            command.args(["--sync", "--stub-wasi"]).arg("-o").arg(scratch.join("out.wasm"));
            Ok(command)
        })?;
    }
    Ok(())
}

fn bundle(context: &Context, source: &Path, scratch: &Path) -> Result<PathBuf> {
    let script = scratch.join("guest.mjs");
    let mut esbuild = node::command(context, "esbuild");
    esbuild.arg(source).args(["--bundle", "--format=esm", "--external:runner:*", "--log-level=warning"]);
    process::output(esbuild.arg(format!("--outfile={}", script.display())))?;
    Ok(script)
}
