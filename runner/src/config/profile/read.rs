//! From a file to a profile: what is in it, where it stands, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::model::{EMBEDDED, Profile};
use super::{toml, trust};
use crate::config::mistake::{Mistake, Place};
use crate::config::yaml::{self, Bare, Node};

/// What messages call such a file.
const NOUN: &str = "profile";

/// A profile, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileFile {
    /// The file; of a profile that is built into a program, what messages call it.
    pub path: PathBuf,
    /// What it says.
    pub profile: Profile,
    document: Node,
}

impl ProfileFile {
    /// Reads a profile's file. It must belong to root or the user, and nobody else may be able to write it. Opens none of the
    /// plugins that it names.
    ///
    /// # Errors
    ///
    /// The first mistake in it, with its place, or whose it is.
    pub fn read(path: &Path) -> Result<Self, Mistake> {
        Self::of_bytes(path, &trust::read(path)?)
    }

    /// A profile's text, whoever wrote it; `path` is what messages call it, and plugins' sources count from its folder.
    ///
    /// # Errors
    ///
    /// The first mistake in it, with its place.
    pub fn of_bytes(path: &Path, bytes: &[u8]) -> Result<Self, Mistake> {
        let text = yaml::text_of(path, bytes, NOUN)?;
        let document = toml::tree(path, text)?;
        let begin = |m: Mistake| match m.what.starts_with("`apiVersion` is missing") {
            true => m.hint("a profile begins with `apiVersion = \"runner.dev/v1alpha1\"` and `name = \"…\"`"),
            false => m,
        };
        let profile: Profile = document.decode(path).map_err(begin)?;
        let file = Self { path: path.to_owned(), profile, document };
        file.check()?;
        Ok(file)
    }

    /// The folder that sources of plugins count from.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Name, version and file, for messages.
    pub fn title(&self) -> String {
        format!("{} ({})", self.profile.title(), self.path.display())
    }

    /// Where the value under these keys stands; none where the profile does not say it. Numbers count list entries, from 0.
    pub fn place(&self, keys: &[&str]) -> Option<Place> {
        let step = |node: &'_ Node, key: &&str| match &node.bare {
            Bare::List(items) => items.get(key.parse::<usize>().ok()?).cloned(),
            _ => node.get(key).cloned(),
        };
        keys.iter().try_fold(self.document.clone(), |node, key| step(&node, key)).map(|node| node.place)
    }

    /// A mistake in what stands under these keys, or in what is nearest above them.
    pub fn mistake(&self, keys: &[&str], what: impl Into<String>) -> Mistake {
        let mut mistake = Mistake::of_file(&self.path, what);
        mistake.place = (0..=keys.len()).rev().find_map(|n| self.place(&keys[..n]));
        mistake.path = keys.iter().fold(String::new(), |path, key| match key.parse::<usize>() {
            Ok(_) => format!("{path}[{key}]"),
            Err(_) if path.is_empty() => (*key).to_owned(),
            Err(_) => format!("{path}.{key}"),
        });
        mistake
    }

    /// What no type can say.
    fn check(&self) -> Result<(), Mistake> {
        let profile = &self.profile;
        self.check_ports()?;
        if let Some((key, what)) = profile.gate.trouble() {
            return Err(self.mistake(&["gate", key], what));
        }
        if let Some((key, what)) = profile.timeouts.trouble() {
            return Err(self.mistake(&["timeouts", key], what));
        }
        if let (Some(usual), Some(most)) = (profile.gate.max_lag, profile.floors.max_lag)
            && usual > most
        {
            let what = format!("{usual} is looser than the profile's own floor, {most}");
            return Err(self.mistake(&["gate", "maxLag"], what).hint("give a number that the floor allows"));
        }
        if let (Some(usual), Some(least)) = (profile.gate.stability, profile.floors.stability)
            && usual < least
        {
            let what = format!(
                "{} is looser than the profile's own floor, {}",
                humantime::format_duration(usual.0),
                humantime::format_duration(least.0)
            );
            return Err(self.mistake(&["gate", "stability"], what).hint("give a time that the floor allows"));
        }
        for (key, name) in [("ca", &profile.pki.ca), ("server", &profile.pki.server), ("peer", &profile.pki.peer)] {
            if name.as_ref().is_some_and(|name| name.0.is_empty()) {
                return Err(self.mistake(&["pki", key], "a member needs this certificate: it cannot be none"));
            }
        }
        self.check_plugins()?;
        let mut flags = BTreeMap::new();
        for (i, banned) in profile.banned.iter().enumerate() {
            if let Some(first) = flags.insert(&banned.flag.0, i) {
                let what = format!("{} is banned by banned[{first}] already", banned.flag.0);
                return Err(self.mistake(&["banned", &i.to_string(), "flag"], what).hint("one entry and one reason each"));
            }
        }
        Ok(())
    }

    fn check_ports(&self) -> Result<(), Mistake> {
        let ports = &self.profile.ports;
        let mut seen: BTreeMap<u16, &str> = BTreeMap::new();
        for (key, port) in [("peer", ports.peer), ("client", ports.client), ("metrics", ports.metrics)] {
            let Some(port) = port else { continue };
            if port == 0 {
                return Err(self.mistake(&["ports", key], "0 is not a port that others could reach"));
            }
            if let Some(other) = seen.insert(port, key) {
                return Err(self.mistake(&["ports", key], format!("{port} is the {other} port already")));
            }
        }
        Ok(())
    }

    fn check_plugins(&self) -> Result<(), Mistake> {
        let mut names = BTreeMap::new();
        for (i, plugin) in self.profile.plugins.iter().enumerate() {
            let at = |key: &str, what: String| self.mistake(&["plugins", &i.to_string(), key], what);
            let name = Profile::plugin_name(plugin);
            if let Some(first) = names.insert(name.clone(), i) {
                return Err(at("name", format!("{name} is the name of plugins[{first}] already"))
                    .hint("the name is how verdicts and policies refer to it: give each plugin its own"));
            }
            if plugin.digest.is_none() && !plugin.source.0.starts_with(EMBEDDED) {
                return Err(at("digest", format!("the mandatory plugin {name} has no digest")).hint(
                    "`runner plugin inspect` prints it: without it whoever may write the component decides what is asked",
                ));
            }
            if plugin.limits.nothing() {
                return Err(at("limits", "with a limit of nothing it cannot be asked".to_owned()));
            }
        }
        for (i, name) in self.profile.adjustable.iter().enumerate() {
            if !names.contains_key(&name.0) {
                let all = names.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let mistake = self.mistake(
                    &["adjustable", &i.to_string()],
                    format!("there is no mandatory plugin {} whose settings could be said", name.0),
                );
                let there =
                    if all.is_empty() { "the profile has no plugins".to_owned() } else { format!("there are {all}") };
                return Err(mistake.hint(there));
            }
        }
        Ok(())
    }
}
