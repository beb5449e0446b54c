//! Which plugins are asked, with which settings, and what becomes of the join when one fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bad_input;
use super::cluster_args::absolute;
use crate::grants::Grants;
use crate::pipeline::{Failure, FailurePolicy};
use crate::plugins::{self, Limits, PluginConfig, PluginSource};

/// The plugins.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Plugins")]
pub(super) struct PluginArgs {
    /// Plugin files (`.wasm` components) and folders of them; may be given several times
    #[arg(long, value_name = "PATH", num_args = 1.., value_delimiter = ',')]
    plugins: Vec<PathBuf>,
    /// A plugin's settings as a JSON object, or `@FILE` with one; the plugin's name is its file's, without `.wasm`
    #[arg(long, value_name = "NAME=JSON", value_parser = pair)]
    plugin_settings: Vec<(String, String)>,
    /// What to do when a plugin fails to answer: `fail` (checks, promotion) or `ignore` (notifiers) unless told otherwise
    #[arg(long, value_name = "NAME=POLICY", value_parser = pair)]
    plugin_failure: Vec<(String, String)>,
}

/// One plugin, as kept in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChosenPlugin {
    path: PathBuf,
    name: String,
    settings: serde_json::Value,
    failure_policy: Option<FailurePolicy>,
}

impl PluginArgs {
    /// Finds the files and reads the settings. Loads nothing.
    pub(super) fn chosen(&self) -> Result<Vec<ChosenPlugin>, Failure> {
        let paths = plugins::find(&self.plugins)?;
        let mut settings = by_name(&self.plugin_settings, "--plugin-settings", read_settings)?;
        let mut policies = by_name(&self.plugin_failure, "--plugin-failure", |_, text| match text {
            "fail" => Ok(FailurePolicy::Fail),
            "ignore" => Ok(FailurePolicy::Ignore),
            _ => Err(format!("{text:?} is neither `fail` nor `ignore`")),
        })?;
        let mut chosen: Vec<ChosenPlugin> = Vec::new();
        for path in paths {
            let path = absolute(path);
            let name = PluginSource { path: path.clone(), name: None }.name();
            if let Some(twin) = chosen.iter().find(|p| p.name == name) {
                let text = format!("--plugins: {} and {} are both named {name}", twin.path.display(), path.display());
                return Err(
                    bad_input(text).hint("rename one of the files: the name is how settings and verdicts refer to it")
                );
            }
            let settings = settings.remove(&name).unwrap_or_else(|| serde_json::json!({}));
            let failure_policy = policies.remove(&name);
            chosen.push(ChosenPlugin { path, name, settings, failure_policy });
        }
        let names: Vec<&str> = chosen.iter().map(|p| p.name.as_str()).collect();
        let stray =
            settings.keys().map(|n| (n, "--plugin-settings")).chain(policies.keys().map(|n| (n, "--plugin-failure")));
        if let Some((name, flag)) = stray.into_iter().next() {
            let known = if names.is_empty() {
                "no plugins were given".to_owned()
            } else {
                format!("the plugins are {}", names.join(", "))
            };
            return Err(bad_input(format!("{flag}: there is no plugin {name}")).hint(known));
        }
        Ok(chosen)
    }
}

impl ChosenPlugin {
    pub(super) fn config(&self) -> PluginConfig {
        PluginConfig {
            path: self.path.clone(),
            name: self.name.clone(),
            settings: self.settings.clone(),
            failure_policy: self.failure_policy,
            limits: Limits::default(),
            grants: Grants::default(),
        }
    }
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
        insta::assert_snapshot!(args("steady-sync=[1]").chosen().unwrap_err().message, @r#"--plugin-settings: steady-sync: the settings must be a JSON object, for example {"maxLag": 10}"#);
        insta::assert_snapshot!(args("steady-sync={").chosen().unwrap_err().message, @"--plugin-settings: steady-sync: not JSON: EOF while parsing an object at line 1 column 1");
        insta::assert_snapshot!(args("steady={}").chosen().unwrap_err().message, @"--plugin-settings: there is no plugin steady");
    }
}
