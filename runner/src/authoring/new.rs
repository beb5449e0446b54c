//! Starting a project: a small plugin that does real work, builds at once, and whose scenarios pass.

use std::fs;
use std::path::PathBuf;

use super::build::rust;
use super::files;
use super::project::{PROJECT_FILE, valid_name};
use super::{Language, Project, go};
use crate::Problem;
use crate::plugins::Role;

/// Writes a project into its folder, which is made where it is not there. Returns the files, below the folder.
///
/// # Errors
///
/// The name cannot be a plugin's, there is no role, or the folder is there and not empty: then nothing is written.
pub fn create(project: &Project) -> Result<Vec<PathBuf>, Problem> {
    valid_name(&project.name).map_err(Problem::new)?;
    if project.roles.is_empty() {
        return Err(Problem::new("a plugin has at least one role").hint("--role promotion"));
    }
    is_free(project)?;
    let written = files_of(project)?;
    for (path, text) in &written {
        files::write(&project.dir.join(path), text)?;
    }
    match project.language {
        Language::Rust => rust::put_sdk(project)?,
        Language::Go => go::put_sdk(&project.dir)?,
        // Where editors look for types.
        Language::Js | Language::Ts => files::renew(&project.work().join("sdk"), files::SDK_JS)?,
        Language::Python => files::renew(&project.work().join("sdk"), files::SDK_PYTHON)?,
        Language::C => files::renew(&project.work().join("sdk"), files::SDK_C)?,
    }
    Ok(written.into_iter().map(|(path, _)| path.into()).collect())
}

fn is_free(project: &Project) -> Result<(), Problem> {
    let dir = &project.dir;
    match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Problem::new(format!("{} is there already, and not empty", dir.display()))
            .hint("give another name, or another folder with --dir")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(files::problem("look into", dir, &e)),
    }
}

/// The files of a new project, as path and text.
fn files_of(project: &Project) -> Result<Vec<(String, String)>, Problem> {
    if files::TEMPLATES.iter().all(|(path, _)| !path.starts_with(&format!("{}/", project.language))) {
        return Err(Problem::new(format!("there is no template for {} yet", project.language.title())));
    }
    let mut found = vec![(PROJECT_FILE.to_owned(), project.text())];
    let language = format!("{}/", project.language);
    let several = project.roles.len() > 1;
    for (path, text) in files::TEMPLATES {
        let own = path.strip_prefix(language.as_str());
        // A language's own file takes the place of the common one.
        let common = path.strip_prefix("common/").filter(|place| {
            let own = format!("{language}{place}");
            files::TEMPLATES.iter().all(|(path, _)| *path != own)
        });
        let Some(place) = own.or(common).filter(|place| belongs(project, place)) else { continue };
        found.push((name_of(project.language, place, several), filled(project, text)));
    }
    if project.language == Language::Rust && several {
        found.push(("src/lib.rs".to_owned(), rust_root(project)));
    }
    Ok(found)
}

/// Whether a template's file is one of this project: those that are named after a role belong to it.
fn belongs(project: &Project, place: &str) -> bool {
    let stem = place.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or_default().replace('_', "-");
    // Go's tests lie beside what they test.
    let stem = stem.strip_suffix("-test").unwrap_or(&stem);
    Role::ALL.into_iter().all(|role| role.name() != stem || project.roles.contains(&role))
}

/// What a template's file is called in a project. A Rust plugin of one role is one file.
fn name_of(language: Language, place: &str, several: bool) -> String {
    match place {
        "gitignore" => ".gitignore".to_owned(),
        "cargo-config.toml" => ".cargo/config.toml".to_owned(),
        "go-mod" => "go.mod".to_owned(),
        "cargo.toml" => "Cargo.toml".to_owned(),
        place if language == Language::Rust && place.starts_with("src/") && !several => "src/lib.rs".to_owned(),
        place => place.to_owned(),
    }
}

fn filled(project: &Project, text: &str) -> String {
    // With several roles the root exports them.
    let exports = |line: &&str| project.roles.len() == 1 || !line.starts_with("runner_plugin::export!");
    let text: String = text.split_inclusive('\n').filter(exports).collect();
    let roles: Vec<&str> = project.roles.iter().map(|role| role.question()).collect();
    text.replace("@name@", &project.name)
        .replace("@language@", project.language.title())
        .replace("@roles@", &roles.join(" "))
}

/// The root of a Rust plugin with several roles: a file and a group of settings for each.
fn rust_root(project: &Project) -> String {
    let names: Vec<(String, &str, &str)> = project
        .roles
        .iter()
        .map(|role| match role {
            Role::HealthCheck => ("health_check".to_owned(), "Reserve", "HealthCheck"),
            Role::Promotion => ("promotion".to_owned(), "CaughtUp", "Promotion"),
            Role::Notifier => ("notifier".to_owned(), "Teller", "Notifier"),
        })
        .collect();
    let mut text = String::from("//! One plugin with several roles: each has a file, and its own group of settings.\n\n");
    text.push_str("use runner_plugin::prelude::*;\nuse serde::Deserialize;\n\n");
    names.iter().for_each(|(module, _, _)| text.push_str(&format!("mod {module};\n")));
    text.push_str("\n/// The settings, grouped by role.\n#[derive(Debug, Default, Deserialize)]\n");
    text.push_str("#[serde(rename_all = \"camelCase\", deny_unknown_fields, default)]\npub struct Roles {\n");
    names.iter().for_each(|(module, ty, _)| text.push_str(&format!("    {module}: {module}::{ty},\n")));
    text.push_str(
        "}\n\nimpl Plugin for Roles {\n    fn validate(&self) -> Vec<Problem> {\n        let mut problems = Vec::new();\n",
    );
    for (module, _, _) in &names {
        let key = module.replace("_c", "C");
        text.push_str(&format!(
            "        problems.extend(self.{module}.validate().into_iter().map(|p| Problem::new(format!(\"{key}.{{}}\", p.path), p.message)));\n"
        ));
    }
    text.push_str("        problems\n    }\n}\n");
    for (module, _, role) in &names {
        let (function, given, passed) = match *role {
            "HealthCheck" => {
                ("check", "cluster: &Cluster, newcomer: &Newcomer) -> Result<Vec<Finding>>", "cluster, newcomer")
            }
            "Promotion" => (
                "evaluate",
                "cluster: &Cluster, candidate: &Member, window: &Samples) -> Result<Verdict>",
                "cluster, candidate, window",
            ),
            _ => ("notify", "events: &[Event]) -> Result<()>", "events"),
        };
        text.push_str(&format!(
            "\nimpl {role} for Roles {{\n    fn {function}(&self, {given} {{\n        self.{module}.{function}({passed})\n    }}\n}}\n"
        ));
    }
    let exported: Vec<&str> = names.iter().map(|(_, _, role)| *role).collect();
    text + &format!("\nrunner_plugin::export!(Roles: {});\n", exported.join(", "))
}
