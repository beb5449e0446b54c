//! `runner plugin list`

use super::plugin_store_args::{StoreArgs, show};
use super::{Ended, Frame};
use crate::pipeline::Outcome;
use crate::supply::{Entry, Store};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(args: Args, frame: &Frame) -> Ended {
    let store = args.store.open(&frame.defaults)?;
    let lock = store.as_ref().map(Store::lock).transpose()?.unwrap_or_default();
    show(frame, &table(lock.entries()), &lock.entries());
    Ok(Outcome::Joined)
}

fn table(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "no plugin is accepted yet: `runner plugin add SOURCE`".to_owned();
    }
    let signer = |entry: &Entry| entry.signer.as_ref().map_or_else(|| "-".to_owned(), |signer| signer.key.short());
    let row = |entry: &Entry| {
        [entry.name.clone(), entry.digest.short(), entry.contract.clone(), signer(entry), entry.source.clone()]
    };
    let heading = ["NAME", "DIGEST", "CONTRACT", "SIGNED BY", "SOURCE"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(heading).chain(entries.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    let line = |row: &[String; 5]| {
        let cells = widths.iter().zip(row).map(|(width, cell)| format!("{cell:width$}  "));
        cells.collect::<String>() + &row[4]
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
