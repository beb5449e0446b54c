//! `runner plugin verify`: everything in the lock again, without a network.

use serde::Serialize;

use super::plugin_store_args::{StoreArgs, show};
use super::{Ended, Frame, bad_input};
use crate::pipeline::Outcome;
use crate::supply::{Entry, SupplyError};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only these plugins
    names: Vec<String>,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Serialize)]
struct Verdict {
    name: String,
    good: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(super) fn run(args: Args, frame: &Frame) -> Ended {
    let store = args.store.existing(&frame.defaults)?;
    let lock = store.lock()?;
    let entries: Vec<&Entry> = match args.names.as_slice() {
        [] => lock.entries().iter().collect(),
        names => {
            let find =
                |name: &String| lock.get(name).ok_or_else(|| SupplyError::NotLocked(format!("under the name {name}")));
            names.iter().map(find).collect::<Result<_, _>>()?
        }
    };
    let (mut verdicts, mut hints) = (Vec::new(), Vec::new());
    for entry in entries {
        let reason = store.verified(entry).err().map(|error| {
            hints.extend(error.hints().into_iter().filter(|hint| !hints.contains(hint)).collect::<Vec<_>>());
            error.to_string()
        });
        verdicts.push(Verdict { name: entry.name.clone(), good: reason.is_none(), reason });
    }
    let line = |verdict: &Verdict| match &verdict.reason {
        None => format!("good  {}", verdict.name),
        Some(reason) => format!("BAD   {}: {reason}", verdict.name),
    };
    show(frame, &verdicts.iter().map(line).collect::<Vec<_>>().join("\n"), &verdicts);
    let bad = verdicts.iter().filter(|verdict| !verdict.good).count();
    if bad == 0 {
        return Ok(Outcome::Joined);
    }
    let mut failure = bad_input(format!("{bad} of {} plugins are not as they were accepted", verdicts.len()));
    failure.hints = hints;
    Err(failure)
}
