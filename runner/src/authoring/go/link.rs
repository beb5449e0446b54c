//! From Go's core module to a component: the world's types, and the adapter that takes WASI's place.

use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding};

use crate::Problem;
use crate::authoring::{PROJECT_FILE, Project, contract};
use crate::grants::Capability;
use crate::plugins::Role;

/// Where Go looks for WASI, and the SDK for what is the adapter's.
const WASI: &str = "wasi_snapshot_preview1";

/// `deny.wat` with random bytes refused, and with those of the contract.
const DENY: &[u8] = include_bytes!("deny.wasm");
const DENY_BUT_RANDOM: &[u8] = include_bytes!("deny-random.wasm");

/// Makes the component. Errors where the program and its project file say different things.
pub(super) fn link(project: &Project, module: &[u8]) -> Result<Vec<u8>, Problem> {
    let imports = imports(module).map_err(|e| Problem::new(format!("go wrote a module that cannot be read: {e}")))?;
    let calls = |name: &str| imports.iter().any(|(module, import)| module == WASI && import == name);
    same_roles(project, calls)?;
    same_capabilities(project, &imports)?;

    let bug = |e: &dyn std::fmt::Display| Problem::new(format!("the component cannot be put together: {e:#}"));
    let mut module = module.to_vec();
    let (resolve, world) = contract::resolve(project)?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(|e| bug(&e))?;
    let random = calls("runner_random");
    let mut adapter = if random { DENY_BUT_RANDOM } else { DENY }.to_vec();
    let (resolve, world) = contract::resolve_text(&adapter_world(random))?;
    wit_component::embed_component_metadata(&mut adapter, &resolve, world, StringEncoding::UTF8).map_err(|e| bug(&e))?;
    let mut encoder = ComponentEncoder::default();
    let linked = encoder.validate(true).module(&module).and_then(|encoder| encoder.adapter(WASI, &adapter));
    linked.and_then(|encoder| encoder.encode()).map_err(|e| bug(&e))
}

/// What the adapter imports itself, as WIT.
fn adapter_world(random: bool) -> String {
    let version = contract::VERSION;
    let random = if random { format!("import runner:plugin/random@{version};") } else { String::new() };
    format!("package local:adapter; world {} {{ import runner:plugin/logging@{version}; {random} }}", contract::WORLD)
}

/// What a core module imports: each time the module's name and its own.
fn imports(module: &[u8]) -> wasmparser::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    found.push((import.module.to_owned(), import.name.to_owned()));
                }
            }
            Payload::CodeSectionStart { .. } => break,
            _ => {}
        }
    }
    Ok(found)
}

/// A role that the code registers and the project file does not name would never be asked, and the other way round would fail in
/// each call.
fn same_roles(project: &Project, calls: impl Fn(&str) -> bool) -> Result<(), Problem> {
    for role in Role::ALL {
        let (marker, function) = match role {
            Role::HealthCheck => ("runner_health_check", "plugin.HealthCheck"),
            Role::Promotion => ("runner_promotion", "plugin.Promotion"),
            Role::Notifier => ("runner_notifier", "plugin.Notifier"),
        };
        match (project.roles.contains(&role), calls(marker)) {
            (true, false) => {
                let trouble =
                    Problem::new(format!("{PROJECT_FILE} names the role {role}, and nothing in the code calls {function}"));
                return Err(trouble.hint(format!("register it: func init() {{ {function}(...) }}")));
            }
            (false, true) => {
                let trouble =
                    Problem::new(format!("the code calls {function}, and {PROJECT_FILE} does not name the role {role}"));
                return Err(trouble.hint(format!("add \"{role}\" to its roles")));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Code that uses a capability must say so: the project file is what people read.
fn same_capabilities(project: &Project, imports: &[(String, String)]) -> Result<(), Problem> {
    let uses = |capability: &Capability| {
        let interface = format!("runner:plugin/{}@", capability.name());
        let fed = *capability == Capability::Random && imports.iter().any(|(_, import)| import == "runner_random");
        fed || imports.iter().any(|(module, _)| module.starts_with(&interface))
    };
    let silent = Capability::ALL.into_iter().filter(uses).find(|capability| !project.capabilities.contains(capability));
    match silent.map(Capability::name) {
        Some(name) => {
            let what =
                format!("the code uses runner.dev/plugin/{name}, and {PROJECT_FILE} does not name the capability {name}");
            Err(Problem::new(what).hint(format!("add \"{name}\" to its capabilities")))
        }
        None => Ok(()),
    }
}
