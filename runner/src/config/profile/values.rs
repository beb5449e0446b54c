//! Texts with a form of their own in a profile, each read with a sentence about what is wrong with it.

use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

/// A path from the root on, without `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsolutePath(pub PathBuf);

/// A program: a path from the root on, or a name that is looked up on the PATH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(pub PathBuf);

/// A certificate's path below the pki folder, without `.crt`; empty for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PkiName(pub String);

/// A name of a Kubernetes object: small letters, digits and `-`, 63 at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeName(pub String);

/// What keys in etcd begin with: `/…/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPrefix(pub String);

/// A systemd unit's name without `.service`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitName(pub String);

/// A flag of the command line, with its dashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagName(pub String);

/// Whether nothing in it leads out of where it begins, and it can be given to the system.
fn straight(path: &Path) -> bool {
    let named = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    path.components().all(named) && !path.to_string_lossy().contains(char::is_control)
}

impl FromStr for AbsolutePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        match path.is_absolute() && straight(path) {
            true => Ok(Self(path.to_owned())),
            false => Err(format!("{text:?} is not a path from the root on: it begins with `/` and has no `..` in it")),
        }
    }
}

impl FromStr for Program {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        let bare = path.components().count() == 1 && !path.is_absolute();
        match !text.is_empty() && straight(path) && (bare || path.is_absolute()) {
            true => Ok(Self(path.to_owned())),
            false => Err(format!("{text:?} is no program: give its path from the root on, or its name on the PATH")),
        }
    }
}

impl FromStr for PkiName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        if let Some(bare) = [".crt", ".key", ".pem"].iter().find_map(|ending| text.strip_suffix(ending)) {
            return Err(format!("{text:?} has an ending: write {bare:?}, and `.crt` and `.key` are added"));
        }
        match straight(path) && !path.is_absolute() {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{text:?} is not below the pki folder: write it as `etcd/server`")),
        }
    }
}

impl FromStr for KubeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let ends = text.starts_with(letter) && text.ends_with(letter);
        match ends && text.len() <= 63 && text.chars().all(|c| letter(c) || c == '-') {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{text:?} cannot be the name of a Kubernetes object: use small letters, digits and `-`")),
        }
    }
}

impl FromStr for KeyPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = text.len() > 2 && text.len() <= 200 && text.starts_with('/') && text.ends_with('/');
        match shape && text.chars().all(|c| c.is_ascii_graphic()) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{text:?} cannot begin the lock's keys: write it as `/acme.example/join-lock/`")),
        }
    }
}

impl FromStr for UnitName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(bare) = text.strip_suffix(".service") {
            return Err(format!("{text:?} has an ending: write {bare:?}"));
        }
        let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':');
        match (1..=200).contains(&text.len()) && text.chars().all(usable) && !text.starts_with('.') {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{text:?} cannot be a unit's name: use letters, digits, `-`, `_` and `.`")),
        }
    }
}

impl FromStr for FlagName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("--").unwrap_or_default();
        match name.len() > 1 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{text:?} is not a flag: write its long name, as `--insecure`")),
        }
    }
}

macro_rules! text {
    ($($name:ident),*) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )* };
}

text!(AbsolutePath, Program, PkiName, KubeName, KeyPrefix, UnitName, FlagName);
