//! From a project to a component that keeps its promises: the language's build, then the check against the contract.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::files;
use super::{Language, PROJECT_FILE, Project, go};
use crate::Problem;
use crate::grants::Capability;
use crate::plugins::{self, Description, Role};

mod c;
mod javascript;
mod python;
pub(super) mod rust;
mod venv;

/// What a language's build is given.
pub struct Job<'a> {
    /// The project.
    pub project: &'a Project,
    /// Where the component is to be written. Its folder is there; no component is.
    pub output: PathBuf,
    /// Whether nothing may be fetched from anywhere.
    pub offline: bool,
    /// Tells the person something: one line, before what may take long and before anything is installed.
    pub say: &'a (dyn Fn(&str) + Sync),
}

/// A finished component.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Built {
    /// What it is.
    #[serde(flatten)]
    pub description: Description,
    /// How long its language's tools took.
    #[serde(skip)]
    pub took: Duration,
    /// How long compiling it for this machine took; the code is kept.
    #[serde(skip)]
    pub compiled: Duration,
}

/// Builds a project into the file `place`, and looks whether the result is what the project file promises. Compiled code is kept in `cache`, so that the
/// first use of the plugin does not have to wait for it. A component that does not keep the promises does not take an older
/// one's place.
///
/// Blocks for as long as the tools take.
///
/// # Errors
///
/// A tool is missing or fails, or the component does not keep the project file's promises.
pub fn build(
    project: &Project,
    place: &Path,
    offline: bool,
    cache: Option<&Path>,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Built, Problem> {
    let unfinished = project.work().join("unfinished").join(format!("{}.wasm", project.name));
    for folder in [place.parent(), unfinished.parent()].into_iter().flatten() {
        std::fs::create_dir_all(folder).map_err(|e| files::problem("make", folder, &e))?;
    }
    let _ = std::fs::remove_file(&unfinished);
    let job = Job { project, output: unfinished.clone(), offline, say };
    say(&format!("building {} ({}) ...", project.name, project.language.title()));
    let start = Instant::now();
    match project.language {
        Language::Rust => rust::build(&job)?,
        Language::Go => go::build(&job)?,
        Language::Js | Language::Ts => javascript::build(&job)?,
        Language::Python => python::build(&job)?,
        Language::C => c::build(&job)?,
    }
    let took = start.elapsed();
    say(&format!("compiling {} for this machine ...", project.name));
    let start = Instant::now();
    let mut description = plugins::inspect_cached(&unfinished, cache)?;
    let compiled = start.elapsed();
    keeps_promises(project, &description)?;
    put(&unfinished, place)?;
    description.path = place.to_owned();
    Ok(Built { description, took, compiled })
}

/// Puts the finished component at its place in one move, also where that is on another file system.
fn put(from: &Path, place: &Path) -> Result<(), Problem> {
    if std::fs::rename(from, place).is_ok() {
        return Ok(());
    }
    let beside = place.with_extension("wasm.unfinished");
    let copied = std::fs::copy(from, &beside).and_then(|_| std::fs::rename(&beside, place));
    copied.map_err(|e| files::problem("write", place, &e))
}

/// Compares a component with what its project file promises.
fn keeps_promises(project: &Project, description: &Description) -> Result<(), Problem> {
    let file = project.dir.join(PROJECT_FILE);
    let roles: Vec<Role> = project.roles.iter().copied().filter(|role| !description.roles.contains(role)).collect();
    if !roles.is_empty() {
        let names = |roles: &[Role]| match roles {
            [] => "none".to_owned(),
            roles => roles.iter().map(Role::to_string).collect::<Vec<_>>().join(", "),
        };
        let what = format!("{} promises the roles {}", file.display(), names(&project.roles));
        return Err(Problem::new(format!("{what}; the component that was built exports {}", names(&description.roles)))
            .hint(format!("export {} too, or take it out of `roles`", names(&roles))));
    }
    if let Some(more) = description.roles.iter().find(|role| !project.roles.contains(role)) {
        return Err(Problem::new(format!(
            "the component exports the role {more}, which {} does not promise",
            file.display()
        ))
        .hint(format!("add \"{more}\" to `roles`")));
    }
    let imported = Capability::ALL.into_iter().filter(|capability| {
        let name = format!("runner:plugin/{}@", capability.name());
        description.imports.iter().any(|import| import.starts_with(&name))
    });
    let silent: Vec<Capability> = imported.filter(|c| !project.capabilities.contains(c)).collect();
    if !silent.is_empty() {
        return Err(undeclared(project, &silent));
    }
    if let Some(refused) = description.refusals.first() {
        let mut trouble =
            Problem::new(format!("{} was built, and this runner would not use it: {}", project.name, refused.reason));
        trouble.hints.clone_from(&refused.hints);
        return Err(trouble);
    }
    Ok(())
}

/// Trouble with capabilities that the sources use and the project file does not declare.
fn undeclared(project: &Project, capabilities: &[Capability]) -> Problem {
    let names = |list: &[Capability]| list.iter().map(|c| c.name()).collect::<Vec<_>>().join(", ");
    let all: Vec<String> =
        project.capabilities.iter().chain(capabilities).map(|capability| format!("{:?}", capability.name())).collect();
    let file = project.dir.join(PROJECT_FILE);
    Problem::new(format!("{} imports {}, which {} does not declare", project.name, names(capabilities), file.display()))
        .hint(format!("write `capabilities = [{}]` there; an operator must grant it, too", all.join(", ")))
}

/// The capabilities that a tool's words name; `form` writes what it says of one, alternatives with `|` between.
fn capabilities_named(words: &str, form: impl Fn(&str) -> String) -> Vec<Capability> {
    let named = |capability: &Capability| form(capability.name()).split('|').any(|text| words.contains(text));
    Capability::ALL.into_iter().filter(named).collect()
}

/// A source file that must be there.
fn source_of(project: &Project, path: &str) -> Result<PathBuf, Problem> {
    let file = project.dir.join(path);
    if file.is_file() {
        return Ok(file);
    }
    Err(Problem::new(format!("{} is missing", file.display())).hint(format!(
        "`runner plugin new {} --lang {}` in another folder shows what belongs where",
        project.name, project.language
    )))
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.description)
    }
}
