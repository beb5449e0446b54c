//! Every reason not to use a component, each with its sentence and its way out.

use super::roles::configuration_role::SettingProblem;
use super::source::MAX_SIZE;
use super::surface::Interface;
use super::text;
use crate::Problem;
use crate::grants::Capability;
use crate::pipeline::Fault;

/// The contract version that this runner speaks, as people say it.
pub(super) const CONTRACT: &str = "runner:plugin 0.1";

/// Why a plugin is not used. The texts go on after the plugin's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("cannot be read: {0}")]
    Unreadable(String),
    #[error("is not a file")]
    NotAFile,
    #[error("is an empty file")]
    Empty,
    #[error("is {} large, and a component may have {}", text::bytes(*.0), text::bytes(MAX_SIZE))]
    TooLarge(u64),
    #[error("is not the component that the policy pins: it is {found}, and {pinned} is wanted")]
    NotPinned { found: String, pinned: String },
    #[error("is not WebAssembly")]
    NotWasm,
    #[error("is WebAssembly in its text form")]
    TextForm,
    #[error("is a core module, not a component")]
    CoreModule,
    #[error("is compiled code (.cwasm), which could do anything with this machine")]
    Precompiled,
    #[error("is a truncated component: the file ends too early")]
    Truncated,
    #[error("is not a valid component: {0}")]
    Invalid(String),
    #[error("has none of the roles that runner asks for ({0})")]
    NoRole(String),
    #[error("was built for runner:plugin {0}, this runner speaks 0.1")]
    OtherContract(String),
    #[error("imports what it was not granted: {}", .0.join(", "))]
    NotGranted(Vec<String>),
    #[error("was granted what cannot be given: {0}")]
    GrantNotThere(String),
    #[error("does not fit the contract: {0}")]
    WrongShape(String),
    #[error("cannot be started: it {}", .0.message)]
    DoesNotStart(Fault),
    #[error("could not check its settings: it {}", .0.message)]
    SettingsNotChecked(Fault),
    #[error("refuses its settings: {}", problems(.0))]
    BadSettings(Vec<SettingProblem>),
    #[error("has settings that are not a JSON object")]
    SettingsNotAnObject,
    #[error("does not have the role {0}")]
    LacksRole(&'static str),
    #[error("shares its name with another plugin")]
    SameName,
    #[error("could not be loaded: {0}")]
    Internal(String),
}

impl Refusal {
    /// What to do about it, a line each.
    pub(super) fn hints(&self) -> Vec<String> {
        let one = |hint: &str| vec![hint.to_owned()];
        match self {
            Self::Unreadable(_) | Self::NotAFile => one("give the path of a component, a .wasm file that may be read"),
            Self::Empty | Self::Truncated => one("build or copy it again, and compare the sizes"),
            Self::TooLarge(_) => one("strip it: debug information is most of a large component"),
            Self::NotPinned { .. } => one(
                "find out who changed it; where the change is wanted, look at it with `runner plugin inspect` and pin its digest",
            ),
            Self::NotWasm => one("give a WebAssembly component; a folder is searched for *.wasm only"),
            Self::TextForm => one("make the binary form: `wasm-tools parse plugin.wat -o plugin.wasm`"),
            Self::CoreModule => vec![
                "in Rust, set `linker = \"wasm-component-ld\"` for the target wasm32-unknown-unknown and build again"
                    .to_owned(),
                "a module with embedded WIT becomes one by `wasm-tools component new module.wasm -o plugin.wasm`".to_owned(),
            ],
            Self::Precompiled => {
                one("give the component that it was compiled from; runner compiles it and keeps the result itself")
            }
            Self::Invalid(_) => {
                one("`wasm-tools validate plugin.wasm` says where; components need WASI 0.2 style tools, not async ones")
            }
            Self::NoRole(_) => vec![
                "a plugin exports one of runner:plugin/health-check, /promotion, /notifier (with @0.1.x)".to_owned(),
                "build it for one of the worlds health-check-plugin, promotion-plugin, notifier-plugin".to_owned(),
            ],
            Self::OtherContract(_) => {
                one("build it against the contract of this runner, or use a runner of the other version")
            }
            Self::NotGranted(names) => {
                let capabilities: Vec<_> = names.iter().filter_map(|name| Interface::parse(name)?.capability()).collect();
                let mut hints: Vec<_> = capabilities.iter().map(|c| to_grant(*c)).collect();
                if capabilities.len() < names.len() {
                    let text = "every plugin has facts, logging, clock and settings of";
                    hints.push(format!("{text} {CONTRACT}, and WASI 0.2 in an empty world; there is nothing else to grant"));
                }
                hints.push("see what it asks for with `runner plugin inspect`".to_owned());
                hints
            }
            Self::GrantNotThere(_) => one("correct the plugin's grants in the policy file, or put there what they name"),
            Self::WrongShape(_) => one("build it against an unchanged wit/plugin.wit"),
            Self::DoesNotStart(fault) | Self::SettingsNotChecked(fault) => {
                fault.log.iter().map(|line| format!("it said: {line}")).collect()
            }
            Self::BadSettings(_) => one("correct the plugin's settings"),
            Self::SettingsNotAnObject => one("write them as `{ \"name\": value, … }`"),
            Self::LacksRole(_) => one("see its roles with `runner plugin inspect`"),
            Self::SameName => one("give each plugin a name of its own"),
            Self::Internal(_) => Vec::new(),
        }
    }

    /// The error that a person sees: which plugin, what is wrong, what to do.
    pub(super) fn of(self, plugin: &str) -> Problem {
        Problem { message: format!("plugin `{plugin}` {self}"), hints: self.hints() }
    }
}

/// Several errors as one: all sentences, each hint once.
pub(super) fn join(errors: Vec<Problem>) -> Option<Problem> {
    let mut errors = errors.into_iter();
    let mut all = errors.next()?;
    for error in errors {
        all.message = format!("{}; {}", all.message, error.message);
        for hint in error.hints {
            if !all.hints.contains(&hint) {
                all.hints.push(hint);
            }
        }
    }
    Some(all)
}

/// What to write to grant a capability.
fn to_grant(capability: Capability) -> String {
    let (name, example) = (capability.name(), capability.example());
    format!(
        "it wants to {}; to allow that, write among its grants in the policy file, for example: {name}: {example}",
        capability.wish()
    )
}

fn problems(problems: &[SettingProblem]) -> String {
    /// More than this many are a different file, not a mistake.
    const SHOWN: usize = 10;
    let shown = problems.iter().take(SHOWN).map(|p| match p.path.as_str() {
        "" => p.message.clone(),
        path => format!("`{path}`: {}", p.message),
    });
    let mut text = shown.collect::<Vec<_>>().join("; ");
    if problems.len() > SHOWN {
        text += &format!("; and {} more", problems.len() - SHOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_settings_name_each_field() {
        let problem = |path: &str, message: &str| SettingProblem { path: path.into(), message: message.into() };
        let refusal = Refusal::BadSettings(vec![problem("window.min", "is not a version"), problem("", "is too long")]);
        let error = refusal.of("steady");
        assert_eq!(error.message, "plugin `steady` refuses its settings: `window.min`: is not a version; is too long");
    }
}
