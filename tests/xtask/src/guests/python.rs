//! Python guests: `tests/guests/python/<world>/app.py` becomes `python-<world>.wasm`; those under `python-wasi` keep
//! their WASI imports, as a user's would who does not know better.

use anyhow::Result;

use super::{entries, stamp::Guest, stem};
use crate::{context::Context, setup::python};

/// Builds those that are there and have changed.
pub(super) fn build(context: &Context) -> Result<()> {
    for (kind, flags) in [("python", &["--stub-wasi"] as &[&str]), ("python-wasi", &[])] {
        for folder in entries(&context.source("tests/guests").join(kind)) {
            if !folder.join("app.py").is_file() {
                continue;
            }
            let inputs = [folder.clone(), context.source("tests/tools/python/requirements.txt")];
            let guest = Guest { name: format!("{kind}-{}", stem(&folder)), inputs: &inputs };
            guest.build(context, |scratch| {
                let mut command = python::componentize(context);
                command.arg("-d").arg(context.source("wit")).args(["-w", &stem(&folder), "componentize"]).args(flags);
                command.arg("-p").arg(&folder).arg("app").arg("-o").arg(scratch.join("out.wasm")).current_dir(scratch);
                Ok(command)
            })?;
        }
    }
    Ok(())
}
