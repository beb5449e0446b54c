//! `runner policy`

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde::Serialize;

use super::cluster_args::absolute;
use super::defaults::Defaults;
use super::mandatory::{self, Mandatory};
use super::plugin_args::ChosenPlugin;
use super::plugin_store_args::StoreArgs;
use super::policy_args::{self, mistaken};
use super::{Ended, Frame, Output};
use crate::config::policy::{PassedOver, PolicyFile, schema};
use crate::event::EventKind;
use crate::pipeline::{Failure, Mode, Outcome, Policy};
use crate::plugins::Plugins;
use crate::report::Buffer;
use crate::supply::Store;
use crate::surroundings::Nothing;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check all of a policy that needs no cluster: its text, that its components are there and what it pins, that what they import
    /// is granted, and that they accept their settings
    Check {
        /// The policy, a `.yaml` file
        file: PathBuf,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Print the JSON Schema of policy files, for editors
    Schema,
}

/// What was checked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    policy: String,
    file: PathBuf,
    plugins: Vec<CheckedPlugin>,
    passed_over: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckedPlugin {
    name: String,
    roles: Vec<String>,
    mode: Mode,
    /// The profile that makes it mandatory; none where the policy names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mandatory: Option<String>,
    digest: String,
    pinned: bool,
    waivers: usize,
    notes: Vec<String>,
}

pub(super) async fn run(command: Command, frame: &Frame) -> Ended {
    let shown = match command {
        Command::Schema => serde_json::to_string_pretty(&schema()).unwrap_or_default(),
        Command::Check { file, store } => {
            let checked = check(file, store.open(&frame.defaults)?, &frame.defaults).await?;
            match frame.global.output {
                Output::Text => checked.text(),
                Output::Json => serde_json::to_string_pretty(&checked).unwrap_or_default(),
            }
        }
    };
    let _ = frame.printer.data(shown.trim_end());
    Ok(Outcome::Joined)
}

async fn check(path: PathBuf, store: Option<Store>, defaults: &Defaults) -> Result<Checked, Failure> {
    let file = PolicyFile::read(&absolute(path)).map_err(mistaken)?;
    let mut mandatory = Mandatory::of(defaults, store.as_ref())?;
    let own = policy_args::plugins(&file, store.as_ref(), &mut mandatory)?;
    mandatory::check_floors(defaults, (None, None), Some(&file))?;
    let mut chosen = mandatory.plugins;
    chosen.extend(own);
    chosen.sort_by_key(|plugin| plugin.order);
    let told = Arc::new(Buffer::default());
    let configs = chosen.iter().map(|plugin| plugin.config(&defaults.distribution)).collect::<Result<_, _>>()?;
    let loaded = Plugins::load(configs, defaults.plugin_cache(), Arc::new(Nothing), told.clone());
    loaded.ready().await.map_err(Failure::bad_input)?;
    let events = told.events();
    let plugins = chosen.iter().map(|plugin| CheckedPlugin::of(plugin, &events)).collect();
    let other = |PassedOver { kind, line }: &PassedOver| format!("{kind} (line {line})");
    Ok(Checked {
        policy: file.policy.metadata.name.0.clone(),
        plugins,
        passed_over: file.passed_over.iter().map(other).collect(),
        file: file.path,
    })
}

impl CheckedPlugin {
    fn of(plugin: &ChosenPlugin, events: &[crate::event::Event]) -> Self {
        let loaded = events.iter().find_map(|event| match &event.kind {
            EventKind::PluginLoaded { plugin: name, roles, digest, notes } if *name == plugin.name => {
                Some((roles.clone(), digest.clone(), notes.clone()))
            }
            _ => None,
        });
        let (roles, digest, notes) = loaded.unwrap_or_default();
        let (pinned, waivers) = (plugin.digest.is_some(), plugin.waivers.len());
        Self {
            name: plugin.name.clone(),
            roles,
            mode: plugin.mode,
            mandatory: plugin.mandatory.clone(),
            digest,
            pinned,
            waivers,
            notes,
        }
    }
}

impl Checked {
    fn text(&self) -> String {
        let count = match self.plugins.len() {
            1 => "1 plugin".to_owned(),
            n => format!("{n} plugins"),
        };
        let mut lines = vec![format!("policy {} can be used: {count}", self.policy)];
        for plugin in &self.plugins {
            let mode = if plugin.mode == Mode::Monitor { ", monitored" } else { "" };
            let waivers = match plugin.waivers {
                0 => String::new(),
                1 => ", 1 waiver".to_owned(),
                n => format!(", {n} waivers"),
            };
            let mandatory =
                plugin.mandatory.as_ref().map(|by| format!(", mandatory by the profile {by}")).unwrap_or_default();
            lines.push(format!("  {} ({}){mode}{waivers}{mandatory}", plugin.name, plugin.roles.join(", ")));
            let pinned = if plugin.pinned { "pinned" } else { "not pinned: any component in its place is taken" };
            lines.push(format!("    {}, {pinned}", plugin.digest));
            lines.extend(plugin.notes.iter().map(|note| format!("    note: {note}")));
        }
        if !self.passed_over.is_empty() {
            lines.push(format!("passed over: {}", self.passed_over.join(", ")));
        }
        lines.join("\n")
    }
}
