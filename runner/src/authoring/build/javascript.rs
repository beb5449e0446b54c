//! JavaScript and TypeScript: esbuild makes one file of an author's sources and the SDK, componentize-qjs a component of that.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Job;
use crate::Problem;
use crate::authoring::{Language, Project, contract, files, tools};
use crate::grants::Capability;
use crate::plugins::Role;

/// The tools, and the releases that runner is tested with: the packages' names are those of their commands.
const PACKAGES: [(&str, &str); 2] = [("componentize-qjs", "0.4.5"), ("esbuild", "0.28.2")];

/// What every plugin may import of the contract.
const ALWAYS: [&str; 4] = ["facts", "logging", "clock", "settings"];

/// Builds the project into `job.output`.
pub(super) fn build(job: &Job<'_>) -> Result<(), Problem> {
    let project = job.project;
    for role in &project.roles {
        super::source_of(project, &source(project.language, *role))?;
    }
    let tools = find_or_install(job)?;
    let work = project.work();
    contract::write(project, &work.join("wit"))?;
    files::renew(&work.join("sdk"), files::SDK_JS)?;
    let (entry, bundle) = (work.join("entry.js"), work.join("bundle.mjs"));
    files::write(&entry, &entry_text(project))?;

    let mut esbuild = Command::new(&tools[1]);
    esbuild.arg(&entry).args(["--bundle", "--format=esm", "--target=es2023", "--external:runner:*", "--log-level=warning"]);
    esbuild.arg(format!("--alias:runner-plugin={}", absolute(&work.join("sdk")).display()));
    esbuild.arg(format!("--outfile={}", bundle.display())).arg("--sources-content=false");
    tools::run(&mut esbuild)?;
    let script = std::fs::read_to_string(&bundle).map_err(|e| files::problem("read", &bundle, &e))?;
    declared(project, &script)?;

    let mut componentize = Command::new(&tools[0]);
    componentize.arg("-w").arg(work.join("wit")).args(["-n", contract::WORLD]).arg("-j").arg(&bundle);
    // Without `--sync` the component needs the asynchronous ABI, which runner's host does not offer.
    componentize.args(["--sync", "--stub-wasi"]).arg("-o").arg(&job.output);
    tools::run(&mut componentize).map(drop)
}

/// The file of a role, below the project's folder.
fn source(language: Language, role: Role) -> String {
    let ending = if language == Language::Ts { "ts" } else { "js" };
    format!("src/{role}.{ending}")
}

/// The module that componentize-qjs starts from: the exports of the world, made of the author's functions.
fn entry_text(project: &Project) -> String {
    let mut text = String::from("// Written by `runner plugin build`.\nimport * as guest from 'runner-plugin/guest';\n");
    let (mut modules, mut exports) = (Vec::new(), String::new());
    for role in &project.roles {
        let name = camel(role.name());
        let path = source(project.language, *role);
        // Named as well, so that esbuild says where it is missing.
        text.push_str(&format!(
            "import * as {name}Module from '../{path}';\nimport {{ {name} as {name}Function }} from '../{path}';\n"
        ));
        exports.push_str(&format!("export const {name} = guest.{name}({{ ...{name}Module, {name}: {name}Function }});\n"));
        modules.push(format!("{name}Module"));
    }
    text + &format!("export const configuration = guest.configuration([{}]);\n{exports}", modules.join(", "))
}

/// `health-check` as JavaScript writes it.
fn camel(kebab: &str) -> String {
    let mut words = kebab.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| text + &word[..1].to_ascii_uppercase() + &word[1..])
}

/// Whether every interface that the sources import is one that the project file declares.
fn declared(project: &Project, script: &str) -> Result<(), Problem> {
    for (at, _) in script.match_indices("runner:plugin/") {
        let name: String = script[at + 14..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        if ALWAYS.contains(&name.as_str()) || project.capabilities.iter().any(|c| c.name() == name) {
            continue;
        }
        if let Some(capability) = Capability::of_name(&name) {
            return Err(super::undeclared(project, &[capability]));
        }
    }
    Ok(())
}

/// Both tools: in the project's `node_modules` or one above it, on the `PATH`, or installed into the project.
fn find_or_install(job: &Job<'_>) -> Result<Vec<PathBuf>, Problem> {
    let dir = absolute(&job.project.dir);
    if let Some(found) = find(&dir) {
        return Ok(found);
    }
    let wanted: Vec<String> = PACKAGES.iter().map(|(name, version)| format!("{name}@{version}")).collect();
    let by_hand = format!("npm install --save-dev {}   # in {}", wanted.join(" "), dir.display());
    if job.offline {
        return Err(Problem::new(format!(
            "{} are not installed, and --offline forbids to fetch them",
            wanted.join(" and ")
        ))
        .hint(by_hand));
    }
    let npm = tools::need(
        "npm",
        "it installs componentize-qjs and esbuild into the project",
        &["install Node.js 18 or newer, which brings it: https://nodejs.org, or `apt-get install nodejs npm`", &by_hand],
    )?;
    (job.say)(&format!("installing {} with npm into {} ...", wanted.join(" and "), dir.join("node_modules").display()));
    let mut install = Command::new(npm);
    // Both packages carry their binaries: no install script is needed, so none is run.
    install.args(["install", "--save-dev", "--save-exact", "--ignore-scripts", "--no-audit", "--no-fund"]);
    tools::run(install.args(&wanted).current_dir(&dir))?;
    find(&dir).ok_or_else(|| Problem::new("npm installed the tools, and they are not in node_modules/.bin").hint(by_hand))
}

fn find(dir: &Path) -> Option<Vec<PathBuf>> {
    PACKAGES
        .iter()
        .map(|(name, version)| {
            let above = dir.ancestors().map(|folder| folder.join("node_modules/.bin").join(name));
            let mut there = above.filter(|file| tools::is_executable(file)).chain(tools::on_path(name));
            there.find(|file| is_release(file, version))
        })
        .collect()
}

/// Whether a command of `node_modules/.bin` is of that release: its package says so. esbuild's output is plain JavaScript, and any
/// release will do.
fn is_release(command: &Path, version: &str) -> bool {
    let Ok(real) = command.canonicalize() else { return false };
    let manifests = real.ancestors().skip(1).take(3).map(|folder| folder.join("package.json"));
    let texts = manifests.filter_map(|file| std::fs::read_to_string(file).ok());
    let packages: Vec<serde_json::Value> = texts.filter_map(|text| serde_json::from_str(&text).ok()).collect();
    packages.iter().any(|package| package["name"] == "esbuild" || package["version"] == version)
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_bindings() {
        assert_eq!(Role::ALL.map(|role| camel(role.name())), ["healthCheck", "promotion", "notifier"]);
    }

    #[test]
    fn what_is_imported_must_be_declared() {
        let mut project = Project {
            dir: "p".into(),
            name: "p".into(),
            language: Language::Js,
            roles: vec![Role::Promotion],
            capabilities: Vec::new(),
        };
        let script =
            "import { send } from \"runner:plugin/http@0.1.1\";\nimport { log } from \"runner:plugin/logging@0.1.1\";";
        let trouble = declared(&project, script).unwrap_err();
        assert!(trouble.message.contains("imports http"), "{trouble}");
        project.capabilities.push(Capability::Http);
        assert_eq!(declared(&project, script), Ok(()));
    }
}
