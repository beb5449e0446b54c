//! Which plugins are asked, with which settings, and what becomes of the join when one fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bad_input;
use super::cluster_args::absolute;
use super::defaults::Defaults;
use super::mandatory::Mandatory;
use super::plugin_store_args::StoreArgs;
use super::policy_args::{self, mistaken};
use crate::config::policy::PolicyFile;
use crate::distribution::Distribution;
use crate::grants::Grants;
use crate::pipeline::{Failure, FailurePolicy, Mode, Waiver};
use crate::plugins::{self, Embedded, Limits, PluginConfig, PluginSource};
use crate::supply::{self, Resolved};
use crate::terms::Word;

/// The plugins.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Plugins")]
pub(super) struct PluginArgs {
    /// Plugin files (`.wasm` components), folders of them, a policy file (`.yaml`), and accepted plugins by name or as oci://…;
    /// may be given several times
    #[arg(long, value_name = "PATH", num_args = 1.., value_delimiter = ',')]
    plugins: Vec<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    /// A plugin's settings as a JSON object, or `@FILE` with one; the plugin's name is its file's, without `.wasm`. In the place of
    /// all settings that a policy gives it, which is reported
    #[arg(long, value_name = "NAME=JSON", value_parser = pair)]
    plugin_settings: Vec<(String, String)>,
    /// What to do when a plugin fails to answer: `fail` (checks, promotion) or `ignore` (notifiers) unless told otherwise. In the
    /// place of what a policy says, which is reported
    #[arg(long, value_name = "NAME=POLICY", value_parser = pair)]
    plugin_failure: Vec<(String, String)>,
}

/// One plugin, as kept in the journal. Of secrets it knows where they come from, never what they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChosenPlugin {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) settings: serde_json::Value,
    pub(super) failure_policy: Option<FailurePolicy>,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) grants: Grants,
    #[serde(default)]
    pub(super) digest: Option<String>,
    #[serde(default)]
    pub(super) mode: Mode,
    /// The place in reports.
    #[serde(default)]
    pub(super) order: i32,
    #[serde(default)]
    pub(super) waivers: Vec<Waiver>,
    /// The profile that makes it mandatory; none where nobody does.
    #[serde(default)]
    pub(super) mandatory: Option<String>,
    /// Its name among the plugins that are built into the program; none where it is a file.
    #[serde(default)]
    pub(super) embedded: Option<String>,
}

/// The plugins, and the policy that they come from, where there is one.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// In the order of reports.
    pub(super) plugins: Vec<ChosenPlugin>,
    pub(super) policy: Option<PolicyFile>,
    /// What the command line says against the policy, a sentence each.
    pub(super) overrides: Vec<String>,
}

impl PluginArgs {
    /// Finds the files, reads the policy and the settings. Loads no component.
    pub(super) fn chosen(&self, defaults: &Defaults) -> Result<Chosen, Failure> {
        let (policies, paths): (Vec<_>, Vec<_>) = self.plugins.iter().cloned().partition(|path| is_policy(path));
        if let [first, second, ..] = policies.as_slice() {
            let text = format!("--plugins: {} and {} are two policies", first.display(), second.display());
            return Err(bad_input(text).hint("a join has one policy: put the plugins of both into one file"));
        }
        let policy = policies.first().map(|path| PolicyFile::read(&absolute(path.clone())).map_err(mistaken)).transpose()?;
        let idle = self.plugins.is_empty() && defaults.profile.is_none();
        let store = if idle { None } else { self.store.open(defaults)? };
        let mut mandatory = Mandatory::of(defaults, store.as_ref())?;
        let of_policy =
            policy.as_ref().map(|file| policy_args::plugins(file, store.as_ref(), &mut mandatory)).transpose()?;
        let mut plugins = mandatory.plugins.clone();
        plugins.extend(of_policy.unwrap_or_default());
        let ruled = plugins.len();
        let (locked, paths): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| names_locked(path));
        for source in locked {
            plugins.push(ChosenPlugin::resolved(supply::resolve(&source.to_string_lossy(), store.as_ref())?));
        }
        for path in plugins::find(&paths).map_err(Failure::bad_input)? {
            plugins.push(ChosenPlugin::resolved(supply::resolve_file(&absolute(path), store.as_ref())?));
        }
        mandatory.drop_repeated(&mut plugins);
        refuse_twins(&plugins)?;
        let mut overrides = Vec::new();
        self.apply(&mut plugins, ruled, &mandatory, &mut overrides)?;
        plugins.sort_by_key(|plugin| plugin.order);
        Ok(Chosen { plugins, policy, overrides })
    }

    /// Puts settings and failure policies of the command line in their places; the first `ruled` plugins are a policy's.
    fn apply(
        &self,
        plugins: &mut [ChosenPlugin],
        ruled: usize,
        mandatory: &Mandatory,
        overrides: &mut Vec<String>,
    ) -> Result<(), Failure> {
        let mut settings = by_name(&self.plugin_settings, "--plugin-settings", read_settings)?;
        let mut policies = by_name(&self.plugin_failure, "--plugin-failure", |_, text| {
            FailurePolicy::from_name(text).ok_or_else(|| format!("{text:?} is neither `fail` nor `ignore`"))
        })?;
        for (i, plugin) in plugins.iter_mut().enumerate() {
            let name = &plugin.name;
            if let Some(settings) = settings.remove(name) {
                mandatory.settings(plugin, &settings)?;
                if i < ruled && settings != plugin.settings {
                    let giver = if plugin.mandatory.is_some() { "profile" } else { "policy" };
                    overrides.push(format!("--plugin-settings: {name} has other settings than the {giver} gives it"));
                }
                plugin.settings = settings;
            }
            if let Some(policy) = policies.remove(name) {
                Mandatory::failure(plugin, policy)?;
                if i < ruled && plugin.failure_policy != Some(policy) {
                    let word = if policy == FailurePolicy::Ignore { "ignored" } else { "the end of the join" };
                    overrides.push(format!("--plugin-failure: a failure of {name} is {word}, whatever the policy says"));
                }
                plugin.failure_policy = Some(policy);
            }
        }
        let stray =
            settings.keys().map(|n| (n, "--plugin-settings")).chain(policies.keys().map(|n| (n, "--plugin-failure")));
        if let Some((name, flag)) = stray.into_iter().next() {
            let names: Vec<&str> = plugins.iter().map(|p| p.name.as_str()).collect();
            let known = if names.is_empty() {
                "no plugins were given".to_owned()
            } else {
                format!("the plugins are {}", names.join(", "))
            };
            return Err(bad_input(format!("{flag}: there is no plugin {name}")).hint(known));
        }
        Ok(())
    }
}

impl ChosenPlugin {
    /// The plugin in this file, with nothing set and nothing granted.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            name: PluginSource { path: path.clone(), name: None }.name(),
            path,
            settings: serde_json::json!({}),
            failure_policy: None,
            limits: Limits::default(),
            grants: Grants::default(),
            digest: None,
            mode: Mode::Enforce,
            order: 0,
            waivers: Vec::new(),
            mandatory: None,
            embedded: None,
        }
    }

    /// The plugin of this file; where it was accepted, under that name and pinned to what was.
    pub(super) fn resolved(resolved: Resolved) -> Self {
        let plain = Self::new(resolved.path);
        match resolved.entry {
            Some(entry) => Self { name: entry.name, digest: Some(entry.digest.to_string()), ..plain },
            None => plain,
        }
    }

    /// What is loaded. A plugin that was built into the program that began the run must be built into this one.
    pub(super) fn config(&self, program: &Distribution) -> Result<PluginConfig, Failure> {
        let embedded = match &self.embedded {
            None => None,
            Some(name) => Some(self.inside(name, program)?),
        };
        Ok(PluginConfig {
            path: self.path.clone(),
            embedded,
            name: self.name.clone(),
            settings: self.settings.clone(),
            failure_policy: self.failure_policy,
            limits: self.limits.clone(),
            grants: self.grants.clone(),
            digest: self.digest.clone(),
            mode: self.mode,
            waivers: Arc::from(self.waivers.as_slice()),
        })
    }

    fn inside(&self, name: &str, program: &Distribution) -> Result<Embedded, Failure> {
        let found = program.own_plugin(name).filter(|embedded| self.digest.as_ref().is_none_or(|d| *d == embedded.digest()));
        found.ok_or_else(|| {
            let digest = self.digest.as_deref().unwrap_or_default();
            bad_input(format!("the plugin {name} of this run ({digest}) is not built into {}", program.title()))
                .hint("go on with the program that began the run")
        })
    }
}

/// Policy files are told from components by their names' endings.
pub(super) fn is_policy(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml")) && !path.is_dir()
}

/// Whether this is a plugin of the store: `oci://…`, or a name that is no file's.
fn names_locked(path: &Path) -> bool {
    let text = path.to_string_lossy();
    supply::Source::is_oci(&text) || (!path.exists() && supply::may_be_name(&text))
}

fn refuse_twins(plugins: &[ChosenPlugin]) -> Result<(), Failure> {
    let mut seen: BTreeMap<&str, &ChosenPlugin> = BTreeMap::new();
    for plugin in plugins {
        if let Some(twin) = seen.insert(&plugin.name, plugin) {
            let (name, path) = (&plugin.name, plugin.path.display());
            if let Some(profile) = &twin.mandatory {
                let text = format!("--plugins: {path} has the name of {name}, which is mandatory by the profile {profile}");
                return Err(bad_input(text)
                    .hint("a plugin may be added under another name: rename the file, or name it in a policy"));
            }
            let twin = twin.path.display();
            let hint =
                "rename one of the files, or give it a `name` in the policy: it is how settings and verdicts refer to it";
            return Err(bad_input(format!("--plugins: {twin} and {path} are both named {name}")).hint(hint));
        }
    }
    Ok(())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn by_name<T>(
    pairs: &[(String, String)],
    flag: &str,
    read: impl Fn(&str, &str) -> Result<T, String>,
) -> Result<BTreeMap<String, T>, Failure> {
    let mut found = BTreeMap::new();
    for (name, text) in pairs {
        let value = read(name, text).map_err(|what| bad_input(format!("{flag}: {name}: {what}")))?;
        if found.insert(name.clone(), value).is_some() {
            return Err(bad_input(format!("{flag}: {name} is given twice")));
        }
    }
    Ok(found)
}

fn read_settings(_name: &str, text: &str) -> Result<serde_json::Value, String> {
    let (text, place) = match text.strip_prefix('@') {
        Some(file) => {
            (fs::read_to_string(Path::new(file)).map_err(|e| format!("cannot read {file}: {e}"))?, format!("{file}: "))
        }
        None => (text.to_owned(), String::new()),
    };
    match serde_json::from_str(&text) {
        Ok(value @ serde_json::Value::Object(_)) => Ok(value),
        Ok(_) => Err(format!("{place}the settings must be a JSON object, for example {{\"maxLag\": 10}}")),
        Err(error) => Err(format!("{place}not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(settings: &str) -> PluginArgs {
        PluginArgs { plugin_settings: vec![pair(settings).unwrap()], ..PluginArgs::default() }
    }

    #[test]
    fn bad_settings_say_what_and_where() {
        insta::assert_snapshot!(args("steady-sync=[1]").chosen(&Defaults::built_in()).unwrap_err().message, @r#"--plugin-settings: steady-sync: the settings must be a JSON object, for example {"maxLag": 10}"#);
        insta::assert_snapshot!(args("steady-sync={").chosen(&Defaults::built_in()).unwrap_err().message, @"--plugin-settings: steady-sync: not JSON: EOF while parsing an object at line 1 column 1");
        insta::assert_snapshot!(args("steady={}").chosen(&Defaults::built_in()).unwrap_err().message, @"--plugin-settings: there is no plugin steady");
    }

    #[test]
    fn a_policy_and_further_plugins_stand_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        ["late.wasm", "first.wasm", "extra.wasm"].iter().for_each(|name| write(name, "x"));
        write(
            "policy.yaml",
            "apiVersion: runner.dev/v1alpha1\nkind: JoinPolicy\nmetadata: {name: p}\nspec:\n  plugins:\n  - {source: late.wasm, \
             order: 9, failurePolicy: Fail}\n  - {source: ./first.wasm, order: -1, name: erste, grants: {secrets: {hook: {file: \
             hook.txt}}}}\n",
        );
        let args = PluginArgs {
            plugins: vec![folder.path().join("extra.wasm"), folder.path().join("policy.yaml")],
            plugin_settings: vec![pair("erste={\"a\":1}").unwrap()],
            plugin_failure: vec![pair("late=ignore").unwrap()],
            store: StoreArgs::at(folder.path().join("no-store")),
        };
        let chosen = args.chosen(&Defaults::built_in()).unwrap();
        let names: Vec<&str> = chosen.plugins.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["erste", "extra", "late"]);
        assert_eq!(
            chosen.overrides,
            [
                "--plugin-failure: a failure of late is ignored, whatever the policy says",
                "--plugin-settings: erste has other settings than the policy gives it",
            ]
        );
        // What the journal keeps is enough to go on with, and knows of a secret only where it is.
        let kept = serde_json::to_string(&chosen.plugins).unwrap();
        assert_eq!(serde_json::from_str::<Vec<ChosenPlugin>>(&kept).unwrap(), chosen.plugins);
        assert!(kept.contains(&format!("{}/hook.txt", folder.path().display())), "{kept}");
    }
}
