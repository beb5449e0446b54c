//! The contract as this program carries it, and the world of one project: which parts of the contract it exports and imports.

use std::path::Path;

use wit_parser::{Resolve, SourceMap, WorldId};

use super::Project;
use super::files;
use crate::Problem;

/// The contract's version.
pub const VERSION: &str = "0.1.1";

/// The world's name in the package [`PACKAGE`]; every project's world is called so.
pub const WORLD: &str = "plugin";

/// The package that the world of a project is in.
pub const PACKAGE: &str = "local:plugin";

/// The contract's files, as path and text: what the folder `wit/` holds at its top.
pub fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    files::CONTRACT.iter().copied()
}

/// The world of a project, as WIT: the world of each of its roles, and an import for each capability that it declares.
pub fn world(project: &Project) -> String {
    let mut lines = vec![format!("package {PACKAGE};"), String::new(), format!("world {WORLD} {{")];
    lines.extend(project.roles.iter().map(|role| format!("  include runner:plugin/{role}-plugin@{VERSION};")));
    lines.extend(project.capabilities.iter().map(|c| format!("  import runner:plugin/{}@{VERSION};", c.name())));
    lines.push("}\n".to_owned());
    lines.join("\n")
}

/// Writes a project's world and the contract into a folder, laid out as every WIT tool expects it: the world at the top, the
/// contract under `deps/`. Files that are right already are left alone.
///
/// # Errors
///
/// What cannot be written.
pub fn write(project: &Project, folder: &Path) -> Result<(), Problem> {
    files::write(&folder.join("world.wit"), &world(project))?;
    files::renew(&folder.join("deps/runner-plugin"), files::CONTRACT)
}

/// A project's world, resolved, for tools that are libraries.
///
/// # Errors
///
/// None for a project that could be loaded; they would be bugs, and say so.
pub fn resolve(project: &Project) -> Result<(Resolve, WorldId), Problem> {
    resolve_text(&world(project))
}

/// The world [`WORLD`] of a WIT text that may name anything of the contract.
///
/// # Errors
///
/// The text is no such WIT.
pub(crate) fn resolve_text(text: &str) -> Result<(Resolve, WorldId), Problem> {
    let mut resolve = Resolve::default();
    let bug = |e: &dyn std::fmt::Display| Problem::new(format!("the contract cannot be read (a bug in runner): {e}"));
    let parse = |files: &mut dyn Iterator<Item = (&str, &str)>| {
        let mut sources = SourceMap::default();
        files.for_each(|(path, text)| sources.push_str(path, text));
        sources.parse().map_err(|(_, e)| bug(&e))
    };
    resolve.push_group(parse(&mut files())?).map_err(|e| bug(&e))?;
    let local = parse(&mut [("world.wit", text)].into_iter())?;
    let package = resolve.push_group(local).map_err(|e| bug(&e))?;
    let world = resolve.select_world(&[package], Some(WORLD)).map_err(|e| bug(&e))?;
    Ok((resolve, world))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authoring::Language;
    use crate::grants::Capability;
    use crate::plugins::Role;

    fn project(roles: &[Role], capabilities: &[Capability]) -> Project {
        Project {
            dir: ".".into(),
            name: "p".into(),
            language: Language::C,
            roles: roles.into(),
            capabilities: capabilities.into(),
        }
    }

    #[test]
    fn a_world_has_the_roles_and_capabilities_that_are_declared() {
        let text = world(&project(&[Role::Promotion], &[Capability::Http]));
        let expected = "package local:plugin;\n\nworld plugin {\n  include runner:plugin/promotion-plugin@0.1.1;\n  import \
                        runner:plugin/http@0.1.1;\n}\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn every_world_resolves_to_its_exports() {
        let (resolve, world) = resolve(&project(&Role::ALL, &Capability::ALL)).unwrap();
        let world = &resolve.worlds[world];
        let names = |items: &mut dyn Iterator<Item = &wit_parser::WorldKey>| -> Vec<String> {
            items.map(|key| resolve.name_world_key(key)).collect()
        };
        let exports = names(&mut world.exports.keys());
        assert_eq!(exports.len(), Role::ALL.len() + 1, "{exports:?}");
        let imports = names(&mut world.imports.keys());
        for capability in Capability::ALL {
            assert!(imports.contains(&format!("runner:plugin/{}@0.1.1", capability.name())), "{imports:?}");
        }
        let released =
            include_str!("../../../wit/plugin.wit").lines().find_map(|l| l.strip_prefix("package runner:plugin@"));
        assert_eq!(released, Some("0.1.1;"), "contract::VERSION is the contract's");
    }
}
