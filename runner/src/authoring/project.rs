//! The project file, `runner-plugin.toml`: what a plugin is called, the language it is written in, and what it promises.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml_edit::{Document, Item};

use super::files;
use crate::Problem;
use crate::grants::Capability;
use crate::plugins::Role;

/// The project file's name.
pub const PROJECT_FILE: &str = "runner-plugin.toml";

/// The keys of a project file.
const KEYS: [&str; 4] = ["name", "language", "roles", "capabilities"];

/// Longest name of a plugin.
const LONGEST_NAME: usize = 64;

/// A plugin's project: a folder with a project file in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// The folder.
    pub dir: PathBuf,
    /// The plugin's name, in kebab-case; the component's file name too.
    pub name: String,
    /// The language that it is written in.
    pub language: Language,
    /// The roles that it exports; at least one.
    pub roles: Vec<Role>,
    /// The capabilities that it may import.
    pub capabilities: Vec<Capability>,
}

/// A language that plugins are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// Rust.
    Rust,
    /// Go.
    Go,
    /// JavaScript.
    #[value(alias = "javascript")]
    Js,
    /// TypeScript.
    #[value(alias = "typescript")]
    Ts,
    /// Python.
    #[value(alias = "py")]
    Python,
    /// C.
    C,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 6] = [Self::Rust, Self::Go, Self::Js, Self::Ts, Self::Python, Self::C];

    /// Its name in a project file and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
            Self::Js => "js",
            Self::Ts => "ts",
            Self::Python => "python",
            Self::C => "c",
        }
    }

    /// Its name as people write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Go => "Go",
            Self::Js => "JavaScript",
            Self::Ts => "TypeScript",
            Self::Python => "Python",
            Self::C => "C",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Project {
    /// Reads the project in this folder.
    ///
    /// # Errors
    ///
    /// There is no project file, or it cannot be used: with its line and column.
    pub fn load(dir: impl AsRef<Path>) -> Result<Self, Problem> {
        let dir = dir.as_ref();
        let file = dir.join(PROJECT_FILE);
        let text = std::fs::read_to_string(&file).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Problem::new(format!("there is no {PROJECT_FILE} in {}", dir.display()))
                .hint("`runner plugin new NAME --lang LANGUAGE` starts a project; name its folder, or go into it"),
            _ => files::problem("read", &file, &e),
        })?;
        Self::parse(dir, &text)
    }

    /// Reads a project file's text; `dir` is the project's folder.
    ///
    /// # Errors
    ///
    /// It cannot be used: with its line and column.
    pub fn parse(dir: &Path, text: &str) -> Result<Self, Problem> {
        let reader = Reader { file: dir.join(PROJECT_FILE), text };
        let document = Document::parse(text).map_err(|e| reader.at(e.span(), e.message()))?;
        if let Some((key, _)) = document.iter().find(|(key, _)| !KEYS.contains(key)) {
            let place = document.key(key).and_then(|key| key.span());
            return Err(unknown(reader.at(place, &format!("unknown key {key:?}")), key, &KEYS));
        }
        let name = reader.text_of(&document, "name")?;
        valid_name(name).map_err(|why| reader.at(document.get("name").and_then(Item::span), &why))?;
        let language = reader.text_of(&document, "language")?;
        let language =
            reader.choose("language", (language, document.get("language").and_then(Item::span)), &Language::ALL)?;
        let roles = reader.list_of(&document, "roles", "role", &Role::ALL)?;
        if roles.is_empty() {
            return Err(reader.at(document.get("roles").and_then(Item::span), "`roles` must name at least one role"));
        }
        let capabilities = match document.get("capabilities") {
            Some(_) => reader.list_of(&document, "capabilities", "capability", &Capability::ALL)?,
            None => Vec::new(),
        };
        Ok(Self { dir: dir.to_owned(), name: name.to_owned(), language, roles, capabilities })
    }

    /// The project file's text.
    pub fn text(&self) -> String {
        let list = |names: &mut dyn Iterator<Item = &'static str>| -> String {
            names.map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
        };
        format!(
            "name = {:?}\nlanguage = {:?}\n# What it answers: health-check, promotion, notifier.\nroles = [{}]\n\
             # What it may use beyond the facts, if the operator grants it: random, http, kubernetes, probes, etcd, secrets.\n\
             capabilities = [{}]\n",
            self.name,
            self.language.name(),
            list(&mut self.roles.iter().map(|role| role.name())),
            list(&mut self.capabilities.iter().map(|capability| capability.name())),
        )
    }

    /// Where the finished component is put: `build/<name>.wasm`.
    pub fn component(&self) -> PathBuf {
        self.dir.join("build").join(format!("{}.wasm", self.name))
    }

    /// What runner writes for the build and may be deleted at any time: the SDK, the contract, intermediate files.
    pub fn work(&self) -> PathBuf {
        self.dir.join(".runner")
    }
}

/// Says why this cannot be a plugin's name.
///
/// # Errors
///
/// It cannot: the end of a sentence about it.
pub(crate) fn valid_name(name: &str) -> Result<(), String> {
    let kebab = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-')
        && !name.contains("--");
    if kebab && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(format!("{name:?} cannot be a plugin's name: use small letters, digits and single dashes, as in \"caught-up\""))
}

/// Something with a name in the project file.
trait Named: Copy {
    fn named(self) -> &'static str;
}

impl Named for Language {
    fn named(self) -> &'static str {
        self.name()
    }
}

impl Named for Role {
    fn named(self) -> &'static str {
        self.name()
    }
}

impl Named for Capability {
    fn named(self) -> &'static str {
        self.name()
    }
}

/// A project file that is being read, for messages.
struct Reader<'a> {
    file: PathBuf,
    text: &'a str,
}

impl Reader<'_> {
    /// Trouble with a place of the file.
    fn at(&self, place: Option<Range<usize>>, what: &str) -> Problem {
        let start = place.map_or(0, |range| range.start);
        let before = self.text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Problem::new(format!("{}:{line}:{column}: {what}", self.file.display()))
    }

    fn text_of<'d>(&self, document: &'d Document<&str>, key: &str) -> Result<&'d str, Problem> {
        let Some(item) = document.get(key) else {
            return Err(Problem::new(format!("{}: `{key}` is missing", self.file.display())));
        };
        item.as_str().ok_or_else(|| self.at(item.span(), &format!("`{key}` must be a text in quotes")))
    }

    fn list_of<T: Named>(&self, document: &Document<&str>, key: &str, what: &str, all: &[T]) -> Result<Vec<T>, Problem> {
        let Some(item) = document.get(key) else {
            return Err(Problem::new(format!("{}: `{key}` is missing", self.file.display())));
        };
        let wrong =
            |place| self.at(place, &format!("`{key}` must be a list of texts, as in {key} = [\"{}\"]", all[0].named()));
        let array = item.as_array().ok_or_else(|| wrong(item.span()))?;
        let mut chosen: Vec<T> = Vec::new();
        for value in array {
            let name = value.as_str().ok_or_else(|| wrong(value.span()))?;
            let one = self.choose(what, (name, value.span()), all)?;
            if chosen.iter().any(|c| c.named() == one.named()) {
                return Err(self.at(value.span(), &format!("{name:?} is there twice")));
            }
            chosen.push(one);
        }
        Ok(chosen)
    }

    fn choose<T: Named>(&self, what: &str, (name, place): (&str, Option<Range<usize>>), all: &[T]) -> Result<T, Problem> {
        if let Some(found) = all.iter().find(|one| one.named() == name) {
            return Ok(*found);
        }
        let names: Vec<&str> = all.iter().map(|one| one.named()).collect();
        Err(unknown(self.at(place, &format!("unknown {what} {name:?}")), name, &names))
    }
}

/// Adds the nearest of the valid names, or all of them where none is near.
fn unknown(mut trouble: Problem, name: &str, valid: &[&str]) -> Problem {
    let nearest = valid.iter().map(|v| (strsim::damerau_levenshtein(name, v), v)).min();
    match nearest.filter(|(distance, v)| *distance <= v.len().max(4) / 2) {
        Some((_, nearest)) => trouble.message.push_str(&format!(", did you mean {nearest:?}?")),
        None => trouble.message.push_str(&format!(", expected one of {}", valid.join(", "))),
    }
    trouble
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Project, String> {
        Project::parse(Path::new("p"), text).map_err(|trouble| trouble.message)
    }

    #[test]
    fn what_is_written_is_read() {
        let project = Project {
            dir: "p".into(),
            name: "caught-up".into(),
            language: Language::Python,
            roles: vec![Role::Promotion, Role::HealthCheck],
            capabilities: vec![Capability::Http],
        };
        assert_eq!(parse(&project.text()), Ok(project));
    }

    #[test]
    fn errors_name_the_place_and_the_nearest_key() {
        let error = |text: &str| parse(text).unwrap_err();
        let head = "name = \"p\"\nlanguage = \"js\"\n";
        let at = |line: &str| error(&format!("{head}{line}\n"));
        assert_eq!(at("  rolls = []"), "p/runner-plugin.toml:3:3: unknown key \"rolls\", did you mean \"roles\"?");
        assert_eq!(
            at("roles = [\"promotion\", \"notify\"]"),
            "p/runner-plugin.toml:3:23: unknown role \"notify\", did you mean \"notifier\"?"
        );
        assert_eq!(at("roles = []"), "p/runner-plugin.toml:3:9: `roles` must name at least one role");
        assert_eq!(
            at("roles = \"promotion\""),
            "p/runner-plugin.toml:3:9: `roles` must be a list of texts, as in roles = [\"health-check\"]"
        );
        assert_eq!(at("roles = [\"promotion\", \"promotion\"]"), "p/runner-plugin.toml:3:23: \"promotion\" is there twice");
        assert_eq!(error("language = \"js\""), "p/runner-plugin.toml: `name` is missing");
        assert!(error("name = \"P\"").contains(":1:8: \"P\" cannot be a plugin's name"));
        assert_eq!(
            error("name = \"p\"\nlanguage = \"cobol-85\"\nroles = [\"promotion\"]"),
            "p/runner-plugin.toml:2:12: unknown language \"cobol-85\", expected one of rust, go, js, ts, python, c"
        );
        assert!(at("roles = [").starts_with("p/runner-plugin.toml:3:"), "{}", at("roles = ["));
    }

    #[test]
    fn names_are_kebab_case() {
        for good in ["p", "caught-up", "v2"] {
            assert_eq!(valid_name(good), Ok(()));
        }
        for bad in ["", "-a", "a-", "a--b", "2a", "A", "a_b", "a/b", "..", &"a".repeat(65)] {
            assert!(valid_name(bad).is_err(), "{bad}");
        }
    }
}
