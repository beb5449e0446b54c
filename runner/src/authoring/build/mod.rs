//! From a project to a component that keeps its promises: the language's build, then the check against the contract.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Language, Project, Trouble, go};
use crate::plugins::{self, Description};

/// What a language's build is given.
pub struct Job<'a> {
    /// The project.
    pub project: &'a Project,
    /// Where the component is to be written. Its folder is there; an older component may be.
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
}

/// Builds a project, and looks whether the result is what the project file promises. Compiled code is kept in `cache`, so that the
/// first use of the plugin does not have to wait for it.
///
/// Blocks for as long as the tools take.
///
/// # Errors
///
/// A tool is missing or fails, or the component does not keep the project file's promises.
pub fn build(project: &Project, offline: bool, cache: Option<&Path>, say: &(dyn Fn(&str) + Sync)) -> Result<Built, Trouble> {
    let output = project.component();
    let folder = output.parent().unwrap_or(&project.dir);
    std::fs::create_dir_all(folder).map_err(|e| Trouble::file("make", folder, &e))?;
    let job = Job { project, output: output.clone(), offline, say };
    say(&format!("building {} ({}) ...", project.name, project.language.title()));
    let start = Instant::now();
    match project.language {
        Language::Go => go::build(&job)?,
        language => return Err(Trouble::new(format!("this runner cannot build {} plugins yet", language.title()))),
    }
    let took = start.elapsed();
    say(&format!("compiling {} for this machine; the code is kept ...", project.name));
    let description = plugins::inspect_cached(&output, cache)?;
    keeps_promises(project, &description)?;
    Ok(Built { description, took })
}

/// Compares a component with what its project file promises.
fn keeps_promises(project: &Project, description: &Description) -> Result<(), Trouble> {
    if let Some(refused) = description.refusals.first() {
        let mut trouble =
            Trouble::new(format!("{} was built, and this runner would not use it: it {}", project.name, refused.reason));
        trouble.hints.clone_from(&refused.hints);
        return Err(trouble);
    }
    Ok(())
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.description)
    }
}
