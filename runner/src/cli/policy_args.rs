//! A policy file's plugins, as the command takes them: sources resolved, numbers in the host's types.

use std::path::{Path, PathBuf};

use super::bad_input;
use super::cluster_args::absolute;
use super::mandatory::Mandatory;
use super::plugin_args::ChosenPlugin;
use crate::config::policy::{self, Mistake, PolicyFile};
use crate::grants::{Grants, SecretSource};
use crate::pipeline::{Failure, Waiver};
use crate::plugins::{self, Limits};
use crate::supply::{self, Resolved, Store};

/// The plugins of a policy, in the order of the file. What is locked is taken from the store, as it was accepted or not at all.
/// What is said of a mandatory plugin goes to `mandatory`, as far as it may be said.
pub(super) fn plugins(
    file: &PolicyFile,
    store: Option<&Store>,
    mandatory: &mut Mandatory,
) -> Result<Vec<ChosenPlugin>, Failure> {
    let mut chosen = Vec::new();
    for (i, plugin) in file.policy.spec.plugins.iter().enumerate() {
        let at = |key: &str, what: String| file.plugin_mistake(i, key, what);
        for resolved in components(file.folder(), plugin, store, &at).map_err(mistaken)? {
            let (digest, one) = (resolved.digest.to_string(), said(file.folder(), plugin, ChosenPlugin::resolved(resolved)));
            if !mandatory.takes(file, i, plugin, &digest, &one.name).map_err(mistaken)? {
                chosen.push(one);
            }
        }
    }
    Ok(chosen)
}

/// What a policy grants the plugin in this file.
pub(super) fn granted(policy: &Path, component: &Path) -> Result<Grants, Failure> {
    let file = PolicyFile::read(&absolute(policy.to_owned())).map_err(mistaken)?;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| absolute(path.to_owned()));
    let of_file = |plugin: &&policy::Plugin| real(&file.folder().join(&plugin.source.0)) == real(component);
    let of_folder = |plugin: &&policy::Plugin| {
        let folder = real(&file.folder().join(&plugin.source.0));
        folder.is_dir() && real(component).parent() == Some(&folder)
    };
    let plugins = &file.policy.spec.plugins;
    let plugin = plugins.iter().find(of_file).or_else(|| plugins.iter().find(of_folder)).ok_or_else(|| {
        let text = format!("{} has no plugin whose source is {}", policy.display(), component.display());
        bad_input(text).hint("what nobody has put into the policy is granted nothing")
    })?;
    Ok(from_folder(plugin.grants.clone(), file.folder()))
}

/// A mistake in a policy, as a command fails with it.
pub(super) fn mistaken(mistake: Mistake) -> Failure {
    let failure = bad_input(mistake.to_string());
    mistake.hints.into_iter().fold(failure, Failure::hint)
}

/// The component files of an entry: one, or those of a folder. Sources count from `folder`; `at` makes a mistake of what is wrong
/// with one of the entry's keys.
pub(super) fn components(
    folder: &Path,
    plugin: &policy::Plugin,
    store: Option<&Store>,
    at: &dyn Fn(&str, String) -> Mistake,
) -> Result<Vec<Resolved>, Mistake> {
    let refused = |error: crate::Problem| {
        let mut mistake = at("source", error.message);
        mistake.hints = error.hints;
        mistake
    };
    let from_store =
        |source: &str| supply::resolve(source, store).map(|resolved| vec![resolved]).map_err(|e| refused(e.into()));
    if plugin.source.oci().is_some() {
        return from_store(&plugin.source.0);
    }
    let path = absolute(folder.join(&plugin.source.0));
    if !path.exists() && supply::may_be_name(&plugin.source.0) {
        return from_store(&plugin.source.0);
    }
    let found = plugins::find(std::slice::from_ref(&path)).map_err(refused)?;
    let own =
        [("name", plugin.name.is_some()), ("digest", plugin.digest.is_some()), ("settings", !plugin.settings.is_empty())];
    if found.len() > 1
        && let Some((key, _)) = own.into_iter().find(|(_, given)| *given)
    {
        let what = format!("the folder {} holds {} components, and this is for one", path.display(), found.len());
        let mut mistake = at(key, what);
        mistake.hints.push("write an entry for each component that differs, with its own file as the source".to_owned());
        return Err(mistake);
    }
    let resolve = |path: PathBuf| supply::resolve_file(&path, store).map_err(|e| refused(e.into()));
    found.into_iter().map(resolve).collect()
}

/// A plugin with what its entry says of it. Paths in its grants count from `folder`.
pub(super) fn said(folder: &Path, plugin: &policy::Plugin, plain: ChosenPlugin) -> ChosenPlugin {
    ChosenPlugin {
        name: plugin.name.as_ref().map_or(plain.name, |name| name.0.clone()),
        settings: plugin.settings.clone().into(),
        failure_policy: plugin.failure_policy.map(|policy| policy.0),
        limits: limits(&plugin.limits),
        grants: from_folder(plugin.grants.clone(), folder),
        // What the policy pins comes first: where it is not what was accepted, loading says so.
        digest: plugin.digest.as_ref().map(|digest| digest.0.clone()).or(plain.digest),
        mode: plugin.mode.0,
        order: plugin.order,
        waivers: plugin.waivers.iter().map(waiver).collect(),
        ..plain
    }
}

fn limits(given: &policy::Limits) -> Limits {
    let usual = Limits::default();
    Limits {
        cpu: given.cpu.map_or(usual.cpu, |span| span.0),
        wall: given.wall.map_or(usual.wall, |span| span.0),
        memory: given.memory.map_or(usual.memory, |amount| amount.0),
        bytes: given.bytes.map_or(usual.bytes, |amount| amount.0),
        ..usual
    }
}

fn waiver(given: &policy::Waiver) -> Waiver {
    Waiver {
        code: given.code.0.clone(),
        member: given.member.clone(),
        until: given.until.map(|until| until.0),
        reason: given.reason.0.clone(),
    }
}

/// The same grants, with paths that count from the policy's folder: the run may be resumed from another one.
fn from_folder(mut grants: Grants, folder: &Path) -> Grants {
    // A grant covers what begins like it, so its folder has to be told without `..`.
    let given = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = given.canonicalize().unwrap_or_else(|_| given.to_owned());
    let place = |path: &mut PathBuf| *path = absolute(folder.join(&*path));
    grants.http.iter_mut().filter_map(|grant| grant.ca_file.as_mut()).for_each(place);
    for source in grants.secrets.values_mut() {
        if let SecretSource::File(path) = source {
            place(path);
        }
    }
    if let Some(probes) = &mut grants.probes {
        probes.fsync.iter_mut().chain(&mut probes.disk_space).chain(&mut probes.certificates).for_each(place);
    }
    grants
}
