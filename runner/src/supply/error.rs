//! Every reason why a plugin is not fetched, not accepted or not used, each with its sentence and its way out.

use std::path::PathBuf;

use super::Digest;
use crate::Problem;
use crate::pipeline::{Failure, Outcome};
use crate::report::human::bytes;

/// What went wrong between a plugin's source and its use.
///
/// Texts of registries that find their way into one are cut and cleaned; credentials never do.
#[derive(Debug, thiserror::Error)]
pub enum SupplyError {
    // What was asked for.
    /// A source that cannot be understood.
    #[error("{text:?} is no source of a plugin: {why}")]
    BadSource {
        /// The source.
        text: String,
        /// Why, as a sentence without its stop.
        why: &'static str,
    },
    /// Not a digest.
    #[error("{0:?} is no digest")]
    BadDigest(String),
    /// A name that no plugin can have.
    #[error("{0:?} cannot be a plugin's name")]
    BadName(String),
    /// A file that cannot be read or written.
    #[error("{doing} {path}: {reason}", path = .path.display())]
    File {
        /// What was tried: `cannot read`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file is larger than it may be.
    #[error("{what} is {size}, and at most {limit} are taken", size = bytes(*.size), limit = bytes(*.limit))]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size, or as much of it as was seen.
        size: u64,
        /// How large it may be.
        limit: u64,
    },
    /// The component is not usable; the plugin host's own words.
    #[error("{}", .0.message)]
    Unusable(Problem),

    // The store and its lock.
    /// The store, or a file in it, cannot be used.
    #[error("{path} cannot be used as a part of the plugin store: {reason}", path = .path.display())]
    Store {
        /// The store.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Another runner changes the store.
    #[error("another runner is changing the plugin store {path}", path = .0.display())]
    Busy(PathBuf),
    /// The lock is not one.
    #[error("{path} is not a lock that runner wrote: {reason}", path = .path.display())]
    BadLock {
        /// The lock.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The lock was changed by something else.
    #[error("{path} was changed by something other than runner: its seal does not fit its content", path = .0.display())]
    BrokenSeal(PathBuf),
    /// The lock is of a newer runner.
    #[error("{path} is of version {found}, and this runner knows version {known}", path = .path.display())]
    NewerLock {
        /// The lock.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// Nothing of that name or source is locked.
    #[error("no plugin {0} is locked")]
    NotLocked(String),
    /// The name is taken.
    #[error("a plugin named {0} is locked already")]
    NameTaken(String),
    /// A reference that names another digest than the lock.
    #[error("{source_text} asks for the manifest {asked}, and {name} is locked at {locked}")]
    OtherManifest {
        /// What was asked for.
        source_text: String,
        /// The plugin.
        name: String,
        /// The digest that was asked for.
        asked: Digest,
        /// The digest in the lock.
        locked: String,
    },

    // What was accepted is not what is there.
    /// The store's file is gone.
    #[error("the component of {name} is missing from the store: {path}", path = .path.display())]
    ComponentMissing {
        /// The plugin.
        name: String,
        /// Where it was to be.
        path: PathBuf,
    },
    /// The store's file is another one.
    #[error("the component of {name} in the store was changed: it is {found}, accepted was {locked}")]
    ComponentChanged {
        /// The plugin.
        name: String,
        /// The digest of what is there.
        found: Digest,
        /// The digest in the lock.
        locked: Digest,
    },
    /// A file that was accepted as a source was changed since.
    #[error("{path} was changed since it was accepted as {name}: it is {found}, accepted was {locked}", path = .path.display())]
    SourceChanged {
        /// The file.
        path: PathBuf,
        /// The plugin.
        name: String,
        /// The digest of what is there.
        found: Digest,
        /// The digest in the lock.
        locked: Digest,
    },
    /// The lock has another contract than the component.
    #[error("the lock says that {name} was built for runner:plugin {locked}, its component says {found}")]
    OtherContract {
        /// The plugin.
        name: String,
        /// In the lock.
        locked: String,
        /// In the component.
        found: String,
    },
    /// The lock has other imports than the component.
    #[error("what {name} imports is not what was accepted: {difference}")]
    OtherImports {
        /// The plugin.
        name: String,
        /// In words.
        difference: String,
    },
    /// The signature kept beside a component is gone or another one.
    #[error("the signature kept for {name} cannot be used: {reason}")]
    KeptSignature {
        /// The plugin.
        name: String,
        /// Why not.
        reason: String,
    },

    // Fetching.
    /// What was fetched is not what was asked for.
    #[error("{what} has the digest {found}, and {expected} was asked for")]
    WrongDigest {
        /// What was fetched.
        what: String,
        /// Its digest.
        found: Digest,
        /// The digest that it was to have.
        expected: Digest,
    },
    /// The artifact is not a plugin in the CNCF layout.
    #[error("{what} is not a plugin in the CNCF Wasm layout: {why}")]
    NotAPlugin {
        /// The reference.
        what: String,
        /// Why not.
        why: String,
    },
    /// The registry does not have it.
    #[error("{0} is not in the registry")]
    NotFound(String),
    /// The registry wants other credentials, or any.
    #[error("the registry {host} refuses access to {what}: {why}")]
    Denied {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Why, and which credentials were shown; never the credentials themselves.
        why: String,
    },
    /// Credentials would have to be sent in the clear.
    #[error("the registry {0} asks for credentials over plain HTTP")]
    CredentialsInTheClear(String),
    /// The docker configuration cannot be used.
    #[error("the credentials for {host} cannot be read: {reason}")]
    Credentials {
        /// The registry.
        host: String,
        /// Why not.
        reason: String,
    },
    /// No answer.
    #[error("the registry {host} cannot be reached: {reason}")]
    Unreachable {
        /// The registry.
        host: String,
        /// Why not.
        reason: String,
    },
    /// An answer that makes no sense, or an error of its own.
    #[error("the registry {host} {reason}")]
    Registry {
        /// The registry.
        host: String,
        /// What it did, after its name.
        reason: String,
    },

    // Signatures.
    /// A key file that is none.
    #[error("{path} is not a key that runner can use: {reason}", path = .path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// There is no signature at all.
    #[error("{what} is not signed, and a signature by {key} is required")]
    NotSigned {
        /// The source.
        what: String,
        /// The key.
        key: String,
    },
    /// There are signatures, and none is good.
    #[error("{what} has no good signature by {key}: {why}")]
    BadSignature {
        /// The source.
        what: String,
        /// The key.
        key: String,
        /// Why not, for each that was tried.
        why: String,
    },

    // Bundles.
    /// The archive is not a bundle, or is harmful.
    #[error("{path} is not a bundle that can be used: {reason}", path = .path.display())]
    BadBundle {
        /// The archive.
        path: PathBuf,
        /// Why not.
        reason: String,
    },

    // A person.
    /// Nobody was there to accept.
    #[error("{0} was not accepted: nobody is there to ask")]
    NobodyToAsk(String),
    /// A person said no.
    #[error("{0} was not accepted; nothing was changed")]
    Declined(String),
}

impl SupplyError {
    /// What to do about it, a line each.
    pub fn hints(&self) -> Vec<String> {
        let one = |hint: &str| vec![hint.to_owned()];
        match self {
            Self::BadSource { .. } => {
                one("write the path of a .wasm file, or oci://host[:port]/repository[:tag][@sha256:…]")
            }
            Self::BadDigest(_) => one("a digest is `sha256:` and 64 lowercase hexadecimal digits"),
            Self::BadName(_) => one("names are letters, digits and . _ -, at most 64, and begin with a letter or digit"),
            Self::Unusable(error) => error.hints.clone(),
            Self::Store { .. } => one(
                "the store and its files must be your own, and nobody else may write to them; --store or RUNNER_PLUGIN_DIR names another",
            ),
            Self::Busy(_) => one("wait for it to end"),
            Self::BadLock { .. } | Self::BrokenSeal(_) => one(
                "put back the lock that runner wrote, from a backup or a bundle, or move the store aside and add the plugins again",
            ),
            Self::NewerLock { .. } => one("use the runner that wrote it, or a newer one"),
            Self::NotLocked(_) => vec![
                "`runner plugin add SOURCE` looks at it and accepts it".to_owned(),
                "`runner plugin list` shows what is accepted".to_owned(),
            ],
            Self::NameTaken(name) => {
                vec![format!(
                    "`runner plugin update {name}` shows what changed and asks; --name gives the new one another name"
                )]
            }
            Self::SourceChanged { name, .. } | Self::OtherManifest { name, .. } => {
                vec![format!("`runner plugin update {name}` shows what changed and asks a person to accept it")]
            }
            Self::ComponentMissing { name, .. } | Self::ComponentChanged { name, .. } | Self::KeptSignature { name, .. } => {
                vec![format!("find out who changed the store; `runner plugin update {name}` fetches it again")]
            }
            Self::OtherContract { name, .. } | Self::OtherImports { name, .. } => {
                vec![format!(
                    "find out who changed the lock; `runner plugin update {name}` shows the difference and asks a person to accept it"
                )]
            }
            Self::WrongDigest { .. } => one(
                "find out who is right before you accept anything: the source was changed, or the digest is another version's",
            ),
            Self::NotAPlugin { .. } => {
                one("push it with `runner plugin push`, `wkg oci push` or another tool that knows the CNCF Wasm layout")
            }
            Self::NotFound(_) => {
                one("compare the repository and the tag; a registry may also say so where `docker login` is missing")
            }
            Self::Denied { host, .. } => vec![format!(
                "`docker login {host}` writes the credentials that runner reads (DOCKER_CONFIG names the folder)"
            )],
            Self::CredentialsInTheClear(_) => {
                one("use TLS (--registry-ca for a private authority); over plain HTTP credentials go to loopback only")
            }
            Self::Credentials { .. } => {
                one("`docker login` writes them anew; DOCKER_CONFIG names the folder of config.json")
            }
            Self::Unreachable { .. } => {
                one("--registry-ca names a private authority's certificate; --plain-http does without TLS")
            }
            Self::BadKey { .. } => one(
                "a public key is the cosign.pub of `cosign generate-key-pair` or of `openssl pkey -pubout` (ECDSA P-256, Ed25519)",
            ),
            Self::NotSigned { .. } => one(
                "sign it with `cosign sign --key` (a file: `cosign sign-blob --key`), or with `runner plugin push --sign-key`",
            ),
            Self::BadSignature { .. } => one("do not use it before you know who signed what; --key names the key to trust"),
            Self::NobodyToAsk(_) => one("run it on a terminal, or give --yes once a person has read the difference"),
            Self::BadBundle { .. } => {
                one("make it with `runner plugin bundle`, and compare the digests that both ends print")
            }
            Self::File { .. } | Self::TooLarge { .. } | Self::Registry { .. } | Self::Declined(_) => Vec::new(),
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Unreachable { .. } => Outcome::Unreachable,
            _ => Outcome::BadInput,
        }
    }
}

impl From<Problem> for SupplyError {
    fn from(error: Problem) -> Self {
        Self::Unusable(error)
    }
}

impl From<SupplyError> for Problem {
    fn from(error: SupplyError) -> Self {
        Self { message: error.to_string(), hints: error.hints() }
    }
}

impl From<SupplyError> for Failure {
    fn from(error: SupplyError) -> Self {
        let outcome = error.outcome();
        Problem::from(error).ends(outcome)
    }
}
