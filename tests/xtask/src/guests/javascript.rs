//! JavaScript guests: `tests/guests/js/<world>.mjs` becomes `js-<world>.wasm`.

use std::path::PathBuf;

use anyhow::Result;

use super::{entries, stamp::Guest, stem};
use crate::{context::Context, setup::node};

/// Builds those that are there and have changed.
pub(super) fn build(context: &Context) -> Result<()> {
    for source in entries(&context.source("tests/guests/js")) {
        if source.extension().is_none_or(|extension| extension != "mjs") {
            continue;
        }
        let inputs: [PathBuf; 2] = [source.clone(), context.source("tests/tools/node/package-lock.json")];
        let guest = Guest { name: format!("js-{}", stem(&source)), inputs: &inputs };
        guest.build(context, |scratch| {
            let mut command = node::command(context, "componentize-qjs");
            command.arg("-w").arg(context.source("wit")).args(["-n", &stem(&source)]).arg("-j").arg(&source);
            // Without `--sync` the component needs the asynchronous ABI, which runner's host does not offer.
            command.args(["--sync", "--stub-wasi"]).arg("-o").arg(scratch.join("out.wasm"));
            Ok(command)
        })?;
    }
    Ok(())
}
