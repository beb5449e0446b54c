//! A profile's mandatory plugins and floors: a policy and the command line may add and tighten, never take away or loosen.

use std::sync::Arc;
use std::time::Duration;

use super::bad_input;
use super::defaults::Defaults;
use super::plugin_args::ChosenPlugin;
use super::policy_args::{self, mistaken};
use super::setup::Setup;
use crate::config::policy::{self, Mistake, PolicyFile};
use crate::config::profile::{Profile, ProfileFile};
use crate::grants::Grants;
use crate::pipeline::{Failure, FailurePolicy, Mode};
use crate::plugins;
use crate::supply::Store;

/// What may be done instead of what was refused.
const MAY: &str = "a policy may add plugins, and say of a mandatory one that its failure fails the join";

/// The mandatory plugins, as far as a policy and the command line have tightened them.
#[derive(Debug, Default)]
pub(super) struct Mandatory {
    profile: Option<Arc<ProfileFile>>,
    pub(super) plugins: Vec<ChosenPlugin>,
}

impl Mandatory {
    /// Those of the profile in force. `store` is asked for what the profile takes from it.
    pub(super) fn of(defaults: &Defaults, store: Option<&Store>) -> Result<Self, Failure> {
        let Some(profile) = &defaults.profile else { return Ok(Self::default()) };
        let mut plugins = Vec::new();
        for (i, plugin) in profile.profile.plugins.iter().enumerate() {
            let name = Profile::plugin_name(plugin);
            let chosen = match plugin.source.0.strip_prefix("embedded:") {
                Some(inside) => embedded(defaults, profile, i, inside)?,
                None => {
                    let at = |key: &str, what: String| profile.mistake(&["plugins", &i.to_string(), key], what);
                    let mut found =
                        policy_args::components(profile.folder(), plugin, store, &at).map_err(mistaken)?.into_iter();
                    match (found.next(), found.next()) {
                        (Some(one), None) => ChosenPlugin::resolved(one),
                        _ => {
                            let what = format!("the mandatory plugin {name} is a folder, not a component");
                            return Err(mistaken(at("source", what)).hint("write an entry for each component"));
                        }
                    }
                }
            };
            let mut chosen = policy_args::said(profile.folder(), plugin, chosen);
            (chosen.name, chosen.mandatory) = (name, Some(profile.title()));
            plugins.push(chosen);
        }
        Ok(Self { profile: Some(Arc::clone(profile)), plugins })
    }

    /// Takes what a policy's entry says of a mandatory plugin; false where the entry is about another plugin.
    ///
    /// # Errors
    ///
    /// The entry takes away or loosens something, at its place in the policy.
    pub(super) fn takes(
        &mut self,
        file: &PolicyFile,
        i: usize,
        entry: &policy::Plugin,
        digest: &str,
        name: &str,
    ) -> Result<bool, Mistake> {
        let Some(chosen) = self.plugins.iter_mut().find(|plugin| plugin.name == name) else { return Ok(false) };
        let profile = chosen.mandatory.clone().unwrap_or_default();
        let refused = |key: &str, what: &str| {
            let mut mistake = file.plugin_mistake(i, key, format!("{name} is mandatory by the profile {profile}, {what}"));
            mistake.hints.push(MAY.to_owned());
            mistake
        };
        if chosen.digest.as_deref() != Some(digest) {
            return Err(refused("source", "and this is another component: give yours another name"));
        }
        if entry.mode.0 == Mode::Monitor && chosen.mode != Mode::Monitor {
            return Err(refused("mode", "so its word counts: it cannot be only monitored"));
        }
        if !entry.waivers.is_empty() {
            return Err(refused("waivers", "so its findings cannot be waived"));
        }
        if entry.grants != Grants::default() {
            return Err(refused("grants", "which says what it may use"));
        }
        if entry.limits != policy::Limits::default() {
            return Err(refused("limits", "which says what one call of it may use"));
        }
        match entry.failure_policy.map(|policy| policy.0) {
            Some(FailurePolicy::Ignore) if chosen.failure_policy != Some(FailurePolicy::Ignore) => {
                return Err(refused("failurePolicy", "so its failure cannot be ignored"));
            }
            Some(FailurePolicy::Fail) => chosen.failure_policy = Some(FailurePolicy::Fail),
            _ => {}
        }
        let settings = serde_json::Value::from(entry.settings.clone());
        if !entry.settings.is_empty() && settings != chosen.settings {
            if !adjustable(self.profile.as_deref(), name) {
                return Err(refused("settings", "which fixes its settings"));
            }
            chosen.settings = settings;
        }
        Ok(true)
    }

    /// Leaves out what was given once more on the command line: it is asked anyway.
    pub(super) fn drop_repeated(&self, plugins: &mut Vec<ChosenPlugin>) {
        let mut of_profile = self.plugins.len();
        plugins.retain(|plugin| {
            let first = of_profile > 0;
            of_profile = of_profile.saturating_sub(1);
            // A file that nobody locked has no digest yet; one that cannot be read is for loading to say.
            let digest = || plugin.digest.clone().or_else(|| plugins::digest_of(&plugin.path).ok());
            let again = |mandatory: &ChosenPlugin| mandatory.name == plugin.name && mandatory.digest == digest();
            first || !self.plugins.iter().any(again)
        });
    }

    /// Refuses settings on the command line that the profile fixes.
    pub(super) fn settings(&self, plugin: &ChosenPlugin, settings: &serde_json::Value) -> Result<(), Failure> {
        match &plugin.mandatory {
            Some(profile) if plugin.settings != *settings && !adjustable(self.profile.as_deref(), &plugin.name) => {
                let text = format!(
                    "--plugin-settings: {} is mandatory by the profile {profile}, which fixes its settings",
                    plugin.name
                );
                Err(bad_input(text)
                    .hint("leave the flag away for this plugin; the profile's `adjustable` says whose settings are free"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a failure policy on the command line that ignores what the profile does not.
    pub(super) fn failure(plugin: &ChosenPlugin, policy: FailurePolicy) -> Result<(), Failure> {
        match &plugin.mandatory {
            Some(profile) if policy == FailurePolicy::Ignore && plugin.failure_policy != Some(FailurePolicy::Ignore) => {
                let text = format!(
                    "--plugin-failure: {} is mandatory by the profile {profile}, so its failure cannot be ignored",
                    plugin.name
                );
                Err(bad_input(text).hint("leave the flag away for this plugin, or say `fail`"))
            }
            _ => Ok(()),
        }
    }
}

/// A plugin that is built into this program.
fn embedded(defaults: &Defaults, profile: &ProfileFile, i: usize, name: &str) -> Result<ChosenPlugin, Failure> {
    let program = &defaults.distribution;
    let number = i.to_string();
    let Some(embedded) = program.own_plugin(name) else {
        let what = format!("there is no plugin {name} in {}", program.title());
        let all = program.own_plugins().collect::<Vec<_>>().join(", ");
        let there = if all.is_empty() { "no plugin is built into it".to_owned() } else { format!("there are {all}") };
        return Err(mistaken(profile.mistake(&["plugins", &number, "source"], what)).hint(there));
    };
    let digest = embedded.digest();
    if let Some(pinned) = profile.profile.plugins[i].digest.as_ref().filter(|pinned| pinned.0 != digest) {
        let what = format!("the plugin {name} in {} is {digest}, not {}", program.title(), pinned.0);
        return Err(
            mistaken(profile.mistake(&["plugins", &number, "digest"], what)).hint("pin what is built in, or leave it away")
        );
    }
    Ok(ChosenPlugin {
        digest: Some(digest),
        embedded: Some(name.to_owned()),
        ..ChosenPlugin::new(format!("embedded:{name}").into())
    })
}

fn adjustable(profile: Option<&ProfileFile>, name: &str) -> bool {
    profile.is_some_and(|file| file.profile.adjustable.iter().any(|free| free.0 == name))
}

/// Refuses a gate that is looser than the profile's floors, by the flags or by the policy.
pub(super) fn check_floors(
    defaults: &Defaults,
    flags: (Option<u64>, Option<Duration>),
    policy: Option<&PolicyFile>,
) -> Result<(), Failure> {
    let Some(profile) = &defaults.profile else { return Ok(()) };
    let (floors, title) = (&profile.profile.floors, profile.title());
    let gate = policy.map(|file| file.policy.spec.gate).unwrap_or_default();
    let in_policy = |key: &str, what: String| {
        policy.map_or(Ok(()), |file| {
            Err(mistaken(file.spec_mistake(&["spec", "gate", key], what))
                .hint("a policy may tighten the gate, not loosen it"))
        })
    };
    if let Some(most) = floors.max_lag {
        let looser = |lag: u64| format!("{lag} is looser than the profile {title} allows, which is {most} at most");
        if let Some(lag) = flags.0.filter(|lag| *lag > most) {
            return Err(bad_input(format!("--max-lag: {}", looser(lag))).hint("give less, or leave the flag away"));
        }
        if let Some(lag) = gate.max_lag.filter(|lag| *lag > most) {
            return in_policy("maxLag", looser(lag));
        }
    }
    if let Some(policy::Span(least)) = floors.stability {
        let show = |time: Duration| humantime::format_duration(time).to_string();
        let looser =
            |time| format!("{} is looser than the profile {title} allows, which is {} at least", show(time), show(least));
        if let Some(time) = flags.1.filter(|time| *time < least) {
            return Err(bad_input(format!("--stability: {}", looser(time))).hint("give more, or leave the flag away"));
        }
        if let Some(policy::Span(time)) = gate.stability.filter(|span| span.0 < least) {
            return in_policy("stability", looser(time));
        }
    }
    Ok(())
}

/// Refuses to go on with a run that was begun without a plugin which the profile in force makes mandatory. Not meant for a run whose member
/// is known to be a voter, or whose undo has begun: no plugin is asked about those.
pub(super) fn held_by(defaults: &Defaults, setup: &Setup) -> Result<(), Failure> {
    let Some(profile) = &defaults.profile else { return Ok(()) };
    for plugin in &profile.profile.plugins {
        let name = Profile::plugin_name(plugin);
        if !setup.plugins.iter().any(|chosen| chosen.name == name && chosen.mandatory.is_some()) {
            let text = format!("the run was begun without {name}, which is mandatory by the profile {}", profile.title());
            return Err(bad_input(text).hint("`runner rollback` undoes the run; a new join asks the plugin"));
        }
    }
    Ok(())
}
