//! `runner profile`

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde::Serialize;

use super::cluster_args::absolute;
use super::defaults::Defaults;
use super::mandatory::Mandatory;
use super::plugin_store_args::{StoreArgs, show};
use super::policy_args::mistaken;
use super::{Ended, Frame};
use crate::config::profile::ProfileFile;
use crate::pipeline::{Failure, Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show every default, and whether it is built in or the profile's, with its place
    Show,
    /// Check a profile: its text, its owner, and that its mandatory plugins are there and are what it pins
    Check {
        /// The profile, a `.toml` file
        file: PathBuf,
    },
}

/// A default in force.
#[derive(Debug, Serialize)]
struct Row {
    key: String,
    value: String,
    from: String,
}

pub(super) fn run(command: Command, frame: &Frame) -> Ended {
    let defaults = match command {
        Command::Show => frame.defaults.clone(),
        Command::Check { file } => {
            let profile = ProfileFile::read(&absolute(file)).map_err(mistaken)?;
            let bare = Defaults { distribution: frame.defaults.distribution.clone(), ..Defaults::built_in() };
            bare.with_profile(Arc::new(profile))
        }
    };
    let rows = rows(&defaults)?;
    let title = defaults.profile.as_ref().map_or_else(|| "no profile".to_owned(), |profile| profile.title());
    show(frame, &text(&title, &rows), &serde_json::json!({ "profile": title, "values": rows }));
    Ok(Outcome::Joined)
}

/// Every default with where it comes from, in the order of a profile.
fn rows(defaults: &Defaults) -> Result<Vec<Row>, Failure> {
    let from = |keys: &[&str]| match defaults.profile.as_ref().and_then(|profile| profile.place(keys)) {
        Some(place) => format!("profile, line {}", place.line),
        None => "built in".to_owned(),
    };
    let mut rows: Vec<Row> = defaults
        .values()?
        .into_iter()
        .map(|(key, value)| Row { from: from(&key.split('.').collect::<Vec<_>>()), key: key.to_owned(), value })
        .collect();
    let Some(profile) = &defaults.profile else { return Ok(rows) };
    let store = StoreArgs::default().open(defaults)?;
    for (i, plugin) in Mandatory::of(defaults, store.as_ref())?.plugins.iter().enumerate() {
        let value = format!("{} {}", plugin.name, plugin.digest.as_deref().unwrap_or_default());
        rows.push(Row { key: format!("plugins[{i}]"), value, from: from(&["plugins", &i.to_string()]) });
    }
    for (i, banned) in profile.profile.banned.iter().enumerate() {
        let value = format!("{}: {}", banned.flag.0, banned.reason.0);
        rows.push(Row { key: format!("banned[{i}]"), value, from: from(&["banned", &i.to_string()]) });
    }
    Ok(rows)
}

fn text(title: &str, rows: &[Row]) -> String {
    let width = |cell: fn(&Row) -> &str| rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or_default();
    let (keys, values) = (width(|row| &row.key), width(|row| &row.value).min(60));
    let line = |row: &Row| format!("{:keys$}  {:values$}  {}", row.key, row.value, row.from);
    std::iter::once(title.to_owned()).chain(rows.iter().map(line)).collect::<Vec<_>>().join("\n")
}
