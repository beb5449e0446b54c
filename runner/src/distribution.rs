//! A vendor's own program: the whole command line under its own name, with its profile and its plugins inside.

use std::process::ExitCode;

use crate::plugins::Embedded;

/// A distribution's program.
///
/// A vendor's `main.rs` names it, gives it the profile and the plugins that the profile makes mandatory, and hands over:
///
/// ```no_run
/// # const PROFILE: &str = "apiVersion = \"runner.dev/v1alpha1\"\nname = \"acme\"\n";
/// # static WINDOW: &[u8] = b"";
/// // const PROFILE: &str = include_str!("../profile.toml");
/// // static WINDOW: &[u8] = include_bytes!("../version-window.wasm");
/// fn main() -> std::process::ExitCode {
///     runner::Distribution::new("acme-join", "1.2").profile(PROFILE).plugin("version-window", WINDOW).main()
/// }
/// ```
///
/// In the profile, such a plugin is `source = "embedded:version-window"`. It is loaded from the program's own memory; the journal
/// keeps its name and digest, so that a run is resumed by a program with the same plugin in it and by no other.
///
/// # What it does not do
///
/// It does not keep root from doing otherwise with another program: a profile is a vendor's rule for its own users, not a wall
/// between users and the node's etcd.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    name: &'static str,
    version: &'static str,
    profile: Option<&'static str>,
    plugins: Vec<(&'static str, Embedded)>,
    replaceable: bool,
}

impl Distribution {
    /// A program of this name and version, without a profile: `/etc/runner/profile.toml` is read where it is there.
    pub fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version, profile: None, plugins: Vec::new(), replaceable: false }
    }

    /// runner itself.
    pub(crate) fn runner() -> Self {
        Self::new("runner", env!("CARGO_PKG_VERSION"))
    }

    /// With this profile in it, the text of a profile's TOML file. `--profile` is refused then, and `/etc/runner/profile.toml` not
    /// looked at.
    #[must_use]
    pub fn profile(mut self, text: &'static str) -> Self {
        self.profile = Some(text);
        self
    }

    /// With this component in it, which the profile names as `embedded:NAME`.
    #[must_use]
    pub fn plugin(mut self, name: &'static str, component: &'static [u8]) -> Self {
        self.plugins.push((name, Embedded(component)));
        self
    }

    /// Lets `--profile` and `RUNNER_PROFILE` take the place of the profile inside.
    #[must_use]
    pub fn replaceable(mut self) -> Self {
        self.replaceable = true;
        self
    }

    /// Parses the process's arguments, runs the command and returns its exit status, as runner's own `main` does.
    pub fn main(self) -> ExitCode {
        crate::cli::run(self)
    }

    /// The program's name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Name and version, for messages.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// The program's version.
    pub(crate) fn version(&self) -> &'static str {
        self.version
    }

    /// The profile inside.
    pub(crate) fn own_profile(&self) -> Option<&'static str> {
        self.profile
    }

    /// Whether another profile may take the place of the one inside.
    pub(crate) fn may_replace_profile(&self) -> bool {
        self.profile.is_none() || self.replaceable
    }

    /// The plugin inside of this name.
    pub(crate) fn own_plugin(&self, name: &str) -> Option<Embedded> {
        self.plugins.iter().find(|(own, _)| *own == name).map(|(_, embedded)| *embedded)
    }

    /// The names of the plugins inside.
    pub(crate) fn own_plugins(&self) -> impl Iterator<Item = &'static str> {
        self.plugins.iter().map(|(name, _)| *name)
    }
}
