//! Python: componentize-py makes a component of an author's modules, the SDK and an interpreter.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Job;
use super::venv::Venv;
use crate::Problem;
use crate::authoring::{Project, contract, files, tools};
use crate::plugins::Role;

/// The tool and the release that runner is tested with.
const TOOL: &str = "componentize-py";
const VERSION: &str = "0.25.1";

/// The module that componentize-py starts from.
const ENTRY: &str = "runner_entry";

/// Builds the project into `job.output`.
pub(super) fn build(job: &Job<'_>) -> Result<(), Problem> {
    let project = job.project;
    for role in &project.roles {
        super::source_of(project, &format!("src/{}.py", snake(*role)))?;
    }
    let tool = find_or_install(job)?;
    let work = project.work();
    contract::write(project, &work.join("wit"))?;
    files::renew(&work.join("sdk"), files::SDK_PYTHON)?;
    files::write(&work.join("entry").join(format!("{ENTRY}.py")), &entry_text(project))?;

    let mut componentize = Command::new(tool);
    componentize.arg("-q").arg("-d").arg(work.join("wit")).args(["-w", contract::WORLD, "componentize", "--stub-wasi"]);
    componentize.arg("-p").arg(project.dir.join("src")).arg("-p").arg(work.join("sdk")).arg("-p").arg(work.join("entry"));
    // No leftovers beside the author's sources.
    componentize.env("PYTHONDONTWRITEBYTECODE", "1");
    tools::run(componentize.arg(ENTRY).arg("-o").arg(&job.output)).map(drop).map_err(|trouble| explained(project, trouble))
}

/// The exports of the world, made of the author's functions.
fn entry_text(project: &Project) -> String {
    let mut text =
        String::from("\"\"\"Written by `runner plugin build`.\"\"\"\n\nfrom runner_plugin import guest_configuration\n\n");
    let names: Vec<String> = project.roles.iter().map(|role| snake(*role)).collect();
    for name in &names {
        // The function by name: where it is missing, the build says so.
        text.push_str(&format!("import {name}\nfrom {name} import {name} as _\nfrom runner_plugin import guest_{name}\n"));
    }
    text.push_str(&format!("\nConfiguration = guest_configuration.export([{}])\n", names.join(", ")));
    for name in &names {
        let class: String = name.split('_').map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect();
        text.push_str(&format!("{class} = guest_{name}.export({name})\n"));
    }
    text
}

/// `health-check` as Python writes it.
fn snake(role: Role) -> String {
    role.name().replace('-', "_")
}

/// What componentize-py says of an import that the project does not declare is hard to read.
fn explained(project: &Project, trouble: Problem) -> Problem {
    let missing = super::capabilities_named(&trouble.message, |name| {
        format!("No module named 'wit_world.imports.{name}'|cannot import name '{name}' from 'wit_world.imports'")
    });
    let missing: Vec<_> = missing.into_iter().filter(|c| !project.capabilities.contains(c)).collect();
    if missing.is_empty() { trouble } else { super::undeclared(project, &missing) }
}

fn find_or_install(job: &Job<'_>) -> Result<PathBuf, Problem> {
    let venv = Venv::of(&job.project.dir);
    if let Some(found) = venv.command(TOOL).into_iter().chain(tools::on_path(TOOL)).find(|file| is_release(file)) {
        return Ok(found);
    }
    venv.install(job, TOOL, VERSION, "it makes the component")?;
    let place = venv.command(TOOL).filter(|file| is_release(file));
    place.ok_or_else(|| Problem::new(format!("pip installed {TOOL}, and it does not run")))
}

fn is_release(tool: &Path) -> bool {
    tools::run(Command::new(tool).arg("--version")).is_ok_and(|said| said.trim() == format!("{TOOL} {VERSION}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authoring::Language;
    use crate::grants::Capability;

    #[test]
    fn the_entry_has_the_classes_of_the_world() {
        let project = Project {
            dir: "p".into(),
            name: "p".into(),
            language: Language::Python,
            roles: vec![Role::HealthCheck, Role::Promotion],
            capabilities: Vec::new(),
        };
        let text = entry_text(&project);
        assert!(text.contains("\nHealthCheck = guest_health_check.export(health_check)\nPromotion = "), "{text}");
        assert!(text.contains("Configuration = guest_configuration.export([health_check, promotion])"), "{text}");
    }

    #[test]
    fn an_import_that_is_not_declared_is_named() {
        let mut project = Project {
            dir: "p".into(),
            name: "p".into(),
            language: Language::Python,
            roles: vec![Role::Promotion],
            capabilities: Vec::new(),
        };
        let said = Problem::new("ImportError: cannot import name 'http' from 'wit_world.imports' (/a/__init__.py)");
        assert!(explained(&project, said.clone()).message.contains("imports http"));
        project.capabilities.push(Capability::Http);
        assert_eq!(explained(&project, said.clone()), said);
    }
}
