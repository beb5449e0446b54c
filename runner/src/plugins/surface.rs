//! What a compiled component shows of itself before it is instantiated: its imports, its roles, its version of the contract.

use wasmtime::Engine;
use wasmtime::component::Component;

use super::refusal::Refusal;
use super::roles::Role;
use crate::grants::{Capability, Grants};

/// The contract's package, and the one minor version of it that this runner speaks.
const PACKAGE: &str = "runner:plugin";
const MINOR: (u64, u64) = (0, 1);

/// The interfaces of the contract that a plugin may import without being granted anything.
const GRANTED: [&str; 5] = ["facts", "failures", "logging", "clock", "settings"];

/// The packages of WASI 0.2 that are there, in an empty world.
const WASI: [&str; 6] = ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];

/// What a component is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Granted<'a> {
    /// These grants.
    These(&'a Grants),
    /// Nothing is granted yet: it is only looked at.
    Looking,
}

impl Granted<'_> {
    /// Whether this capability may be imported.
    pub(super) fn has(self, capability: Capability) -> bool {
        match self {
            Self::These(grants) => grants.has(capability),
            Self::Looking => true,
        }
    }
}

/// A component's face.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Surface {
    /// Its roles.
    pub(super) roles: Vec<Role>,
    /// Whether it checks its settings.
    pub(super) configuration: bool,
    /// The names of everything that it imports.
    pub(super) imports: Vec<String>,
    /// The names of everything that it exports.
    pub(super) exports: Vec<String>,
    /// The newest version of the contract among its imports and exports: what it was built against.
    pub(super) contract: Option<(u64, u64, u64)>,
    /// Whether it imports WASI.
    pub(super) wasi: bool,
}

/// An interface's name, taken apart: `package/interface@major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interface<'a> {
    package: &'a str,
    pub(super) name: &'a str,
    version: (u64, u64, u64),
}

impl Surface {
    /// Reads it off the component's type.
    pub(super) fn of(component: &Component, engine: &Engine) -> Self {
        let ty = component.component_type();
        let names = |it: &mut dyn Iterator<Item = &str>| it.map(str::to_owned).collect();
        Self::of_names(
            names(&mut ty.imports(engine).map(|(name, _)| name)),
            names(&mut ty.exports(engine).map(|(name, _)| name)),
        )
    }

    pub(super) fn of_names(imports: Vec<String>, exports: Vec<String>) -> Self {
        let ours = |names: &[String]| -> Vec<(String, (u64, u64, u64))> {
            let parsed = names.iter().filter_map(|n| Interface::parse(n)).filter(|i| i.package == PACKAGE);
            parsed.map(|i| (i.name.to_owned(), i.version)).collect()
        };
        let exported = ours(&exports);
        let has = |name: &str| exported.iter().any(|(n, (major, minor, _))| n == name && (*major, *minor) == MINOR);
        Self {
            roles: Role::ALL.into_iter().filter(|role| has(role.name())).collect(),
            configuration: has("configuration"),
            contract: ours(&imports).iter().chain(&exported).map(|(_, version)| *version).max(),
            wasi: imports.iter().any(|name| name.starts_with("wasi:")),
            imports,
            exports,
        }
    }

    /// Every reason why this runner would not use it that can be seen from here.
    pub(super) fn refusals(&self, granted: Granted<'_>) -> Vec<Refusal> {
        if let Some((major, minor, patch)) = self.contract.filter(|(major, minor, _)| (*major, *minor) != MINOR) {
            return vec![Refusal::OtherContract(format!("{major}.{minor}.{patch}"))];
        }
        let mut refusals = Vec::new();
        if self.roles.is_empty() {
            let exports = match self.exports.as_slice() {
                [] => "it exports nothing".to_owned(),
                names => format!("it exports {}", names.join(", ")),
            };
            refusals.push(Refusal::NoRole(exports));
        }
        let not_granted: Vec<_> = self.imports.iter().filter(|name| !may_import(name, granted)).cloned().collect();
        if !not_granted.is_empty() {
            refusals.push(Refusal::NotGranted(not_granted));
        }
        refusals
    }
}

impl<'a> Interface<'a> {
    /// Takes a name apart; none where it is not of that form.
    pub(super) fn parse(name: &'a str) -> Option<Self> {
        let (path, version) = name.split_once('@')?;
        let (package, name) = path.split_once('/')?;
        let mut numbers = version.splitn(3, '.').map(|n| n.parse().ok());
        let mut number = || numbers.next().flatten();
        Some(Self { package, name, version: (number()?, number()?, number()?) })
    }

    /// The capability of the contract that it is, if it is one.
    pub(super) fn capability(&self) -> Option<Capability> {
        if self.contracts() { Capability::of_name(self.name) } else { None }
    }

    /// Whether it is one of the contract's interfaces that every plugin may import, or this one by what it was granted.
    pub(super) fn granted_by_contract(&self, granted: Granted<'_>) -> bool {
        (self.contracts() && GRANTED.contains(&self.name)) || self.capability().is_some_and(|c| granted.has(c))
    }

    /// Whether it is of the contract, in the version that this runner speaks.
    fn contracts(&self) -> bool {
        let (major, minor, _) = self.version;
        self.package == PACKAGE && (major, minor) == MINOR
    }
}

fn may_import(import: &str, granted: Granted<'_>) -> bool {
    Interface::parse(import).is_some_and(|interface| {
        let (major, minor, _) = interface.version;
        interface.granted_by_contract(granted) || (WASI.contains(&interface.package) && (major, minor) == (0, 2))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface(imports: &[&str], exports: &[&str]) -> Surface {
        let owned = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
        Surface::of_names(owned(imports), owned(exports))
    }

    /// With nothing granted.
    fn refusals(surface: &Surface) -> Vec<Refusal> {
        surface.refusals(Granted::These(&Grants::default()))
    }

    #[test]
    fn roles_and_version_are_read_off_the_names() {
        let seen = surface(
            &["runner:plugin/facts@0.1.3", "wasi:io/streams@0.2.6"],
            &["init", "runner:plugin/promotion@0.1.0", "runner:plugin/configuration@0.1.0"],
        );
        assert_eq!(seen.roles, [Role::Promotion]);
        assert!(seen.configuration && seen.wasi);
        assert_eq!(seen.contract, Some((0, 1, 3)));
        assert_eq!(refusals(&seen), []);
    }

    #[test]
    fn another_minor_version_is_said_as_such() {
        let seen = surface(&["runner:plugin/facts@0.2.0"], &["runner:plugin/promotion@0.2.0"]);
        assert_eq!(refusals(&seen), [Refusal::OtherContract("0.2.0".into())]);
        assert_eq!(
            refusals(&seen)[0].clone().of("p").message,
            "plugin `p` was built for runner:plugin 0.2.0, this runner speaks 0.1"
        );
    }

    #[test]
    fn only_what_is_granted_may_be_imported() {
        let role = "runner:plugin/notifier@0.1.0";
        for import in [
            "wasi:http/types@0.2.0",
            "wasi:cli/environment@0.3.0",
            "runner:plugin/http@0.1.1",
            "log",
            "a:b/c",
            "a:b/c@1.0.0",
        ] {
            assert_eq!(refusals(&surface(&[import], &[role])), [Refusal::NotGranted(vec![import.into()])]);
        }
        assert_eq!(refusals(&surface(&["runner:plugin/clock@0.1.9"], &[role])), []);
    }

    #[test]
    fn no_role_is_no_plugin() {
        assert_eq!(refusals(&surface(&[], &[])), [Refusal::NoRole("it exports nothing".into())]);
        assert!(matches!(refusals(&surface(&[], &["wasi:cli/run@0.2.0"]))[..], [Refusal::NoRole(_)]));
    }
}
