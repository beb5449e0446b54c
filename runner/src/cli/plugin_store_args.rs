//! What the subcommands about plugins' supply have in common: the store, the registry, keys, talk and a person's word.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use super::bad_input;
use super::cluster_args::absolute;
use super::defaults::Defaults;
use super::{Frame, Output};
use crate::pipeline::Failure;
use crate::supply::{Access, PublicKey, Store, SupplyError};

/// The plugin store.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct StoreArgs {
    /// Where accepted plugins and their lock are kept [default: /var/lib/runner/plugins, or ~/.local/share/runner/plugins where
    /// one is not root]
    #[arg(long = "store", visible_alias = "plugin-store", value_name = "DIR", env = "RUNNER_PLUGIN_DIR")]
    folder: Option<PathBuf>,
}

/// How registries are reached.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Registry")]
pub(super) struct RegistryArgs {
    /// Trust these certificates (PEM) beside the system's
    #[arg(long, value_name = "FILE", env = "RUNNER_REGISTRY_CA")]
    registry_ca: Option<PathBuf>,
    /// Speak HTTP without TLS; credentials are then sent to loopback only
    #[arg(long)]
    plain_http: bool,
}

/// Whose signature is required.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Signature")]
pub(super) struct KeyArgs {
    /// Require a signature by this key: a cosign.pub, or another public key in PEM (ECDSA P-256, Ed25519)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The repository that the signature was made for, where this is a mirror of it
    #[arg(long, value_name = "HOST/REPOSITORY", requires = "key")]
    pub(super) signed_as: Option<String>,
}

impl StoreArgs {
    #[cfg(test)]
    pub(super) fn at(folder: PathBuf) -> Self {
        Self { folder: Some(folder) }
    }

    /// The store, made where it is not there.
    pub(super) fn create(&self, defaults: &Defaults) -> Result<Store, Failure> {
        Ok(Store::create(&self.folder(defaults)?)?)
    }

    /// The store; none where it is not there.
    pub(super) fn open(&self, defaults: &Defaults) -> Result<Option<Store>, Failure> {
        Ok(Store::open(&self.folder(defaults)?)?)
    }

    /// The store, where one is needed that is there.
    pub(super) fn existing(&self, defaults: &Defaults) -> Result<Store, Failure> {
        let folder = self.folder(defaults)?;
        let none = || bad_input(format!("there is no plugin store at {}", folder.display()));
        Store::open(&folder)?.ok_or_else(|| none().hint("`runner plugin add SOURCE` makes it; --store names another"))
    }

    fn folder(&self, defaults: &Defaults) -> Result<PathBuf, Failure> {
        self.folder.clone().map_or_else(|| defaults.plugin_store(), Ok).map(absolute)
    }
}

impl RegistryArgs {
    pub(super) fn access(&self) -> Access {
        Access { ca: self.registry_ca.clone(), plain_http: self.plain_http }
    }
}

impl KeyArgs {
    pub(super) fn key(&self) -> Result<Option<PublicKey>, Failure> {
        Ok(self.key.as_deref().map(PublicKey::read).transpose()?)
    }
}

/// Tells progress on stderr, made harmless: names of others are in it.
pub(super) fn talk(frame: &Frame) -> impl Fn(&str) + Send + Sync + use<> {
    let printer = frame.printer;
    move |text: &str| printer.say(&printer.stderr.style.dim(&printer.stderr.style.clean(text)))
}

/// Prints a result: text for people, a document for machines.
pub(super) fn show(frame: &Frame, text: &str, document: &impl serde::Serialize) {
    let shown = match frame.global.output {
        Output::Text => {
            text.trim_end().lines().map(|line| frame.printer.stdout.style.clean(line)).collect::<Vec<_>>().join("\n")
        }
        Output::Json => serde_json::to_string_pretty(document).unwrap_or_default(),
    };
    let _ = frame.printer.data(&shown);
}

/// Asks a person to accept something. `yes` is the person's word from before.
///
/// # Errors
///
/// The person says no, or there is none.
pub(super) fn accept(frame: &Frame, what: &str, question: &str, yes: bool) -> Result<(), SupplyError> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !frame.printer.stderr.terminal {
        return Err(SupplyError::NobodyToAsk(what.to_owned()));
    }
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    drop(stderr);
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match answer.trim() {
        "y" | "Y" | "yes" if read.is_ok() => Ok(()),
        _ => Err(SupplyError::Declined(what.to_owned())),
    }
}
