//! What a component's own sections say of it, read without compiling anything.

use serde::Serialize;
use wasmparser::{Parser, Payload};

use super::refusal::Refusal;
use super::source;
use super::surface::Surface;
use crate::Problem;
use crate::text::one_line;

/// More names than this are not a plugin: the largest known has 40.
const MAX_NAMES: usize = 1_000;

/// The names on a component's outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Face {
    /// The version of the contract that it was built against; none where it uses nothing of the contract.
    pub contract: Option<String>,
    /// What it imports, sorted: what it asks for.
    pub imports: Vec<String>,
    /// What it exports, sorted.
    pub exports: Vec<String>,
}

impl Face {
    /// Reads the names off a component. Takes milliseconds for a large one; says nothing about whether it would run: for that,
    /// [`inspect`](super::inspect) it.
    ///
    /// # Errors
    ///
    /// These bytes are no component, or one that is cut off; `name` is how the message calls it.
    pub fn of(name: &str, bytes: &[u8]) -> Result<Self, Problem> {
        source::check(bytes).and_then(|()| names(bytes)).map_err(|refusal| refusal.of(name))
    }
}

fn names(bytes: &[u8]) -> Result<Face, Refusal> {
    let invalid = |e: wasmparser::BinaryReaderError| match e.message().contains("unexpected end") {
        true => Refusal::Truncated,
        false => Refusal::Invalid(one_line(&e.to_string(), 200)),
    };
    let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0_usize);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import.map_err(invalid)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export.map_err(invalid)?.name.name.to_owned());
                }
            }
            _ => {}
        }
        if imports.len() + exports.len() > MAX_NAMES {
            return Err(Refusal::Invalid(format!("it has more than {MAX_NAMES} imports and exports")));
        }
    }
    imports.sort();
    exports.sort();
    let surface = Surface::of_names(imports, exports);
    let contract = surface.contract.map(|(major, minor, patch)| format!("{major}.{minor}.{patch}"));
    Ok(Face { contract, imports: surface.imports, exports: surface.exports })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_outermost_component() {
        let bytes = wat::parse_str(
            r#"(component
                (import "runner:plugin/clock@0.1.1" (instance))
                (import "a" (func))
                (component (import "inner" (func)))
                (core module (import "core" "f" (func)))
                (instance $i)
                (export "runner:plugin/notifier@0.1.0" (instance $i)))"#,
        )
        .unwrap();
        let face = Face::of("p", &bytes).unwrap();
        assert_eq!(face.imports, ["a", "runner:plugin/clock@0.1.1"]);
        assert_eq!(face.exports, ["runner:plugin/notifier@0.1.0"]);
        assert_eq!(face.contract.as_deref(), Some("0.1.1"));
        let cut = Face::of("p", &bytes[..bytes.len() - 3]).unwrap_err();
        assert!(cut.message.contains("truncated"), "{}", cut.message);
        assert!(Face::of("p", b"no").unwrap_err().message.contains("is not WebAssembly"));
    }
}
