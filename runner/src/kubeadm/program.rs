//! The kubeadm program: which it is, and what it says of itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::phases::{Known, NEWEST, OLDEST};
use crate::pipeline::{Failure, Outcome};

/// kubeadm answers within some 100 ms; a slow disk may need longer to load it.
const LIMIT: Duration = Duration::from_secs(20);

/// A kubeadm program whose version is known.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// Its phases.
    pub known: Known,
}

/// A version of kubeadm, `v1.33.2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As it says it.
    pub text: String,
    /// The `33`.
    pub minor: u32,
}

impl Program {
    /// Asks the program for its version.
    ///
    /// # Errors
    ///
    /// It cannot be run or does not answer as kubeadm does, or it is of a version whose phases are not known.
    pub async fn ask(path: &Path) -> Result<Self, Failure> {
        let bad = |what: String| Failure::new(Outcome::BadInput, what);
        let said = ask(path, &["version", "-o", "json"]).await?;
        let version = Version::of_json(&said).ok_or_else(|| {
            bad(format!("{} does not tell its version as kubeadm does", path.display())).hint("give kubeadm with --kubeadm")
        })?;
        let known = Known::minor(version.minor).ok_or_else(|| {
            bad(format!("{} is kubeadm {version}, and runner knows the phases of 1.{OLDEST} to 1.{NEWEST}", path.display()))
                .hint(
                    "an unknown version may have its etcd phase elsewhere, so that etcd would join twice: nothing was tried",
                )
                .hint("use a kubeadm of a known version, or a runner that knows this one")
        })?;
        Ok(Self { path: path.to_owned(), version, known })
    }

    /// etcd's image by this kubeadm's own choice, for this version of Kubernetes and from this registry. Asks nobody else.
    ///
    /// # Errors
    ///
    /// It does not name one.
    pub async fn etcd_image(&self, kubernetes: &str, repository: &str) -> Result<String, Failure> {
        let (kubernetes, repository) =
            (format!("--kubernetes-version={kubernetes}"), format!("--image-repository={repository}"));
        let said = ask(&self.path, &["config", "images", "list", &kubernetes, &repository]).await?;
        let image = said.lines().map(str::trim).find(|line| line.rsplit('/').next().is_some_and(|l| l.starts_with("etcd:")));
        image.map(str::to_owned).ok_or_else(|| {
            Failure::new(Outcome::BadInput, "kubeadm names no image of etcd".to_owned()).hint("give it with --image")
        })
    }
}

/// Runs it with these arguments, and gives what it wrote to stdout.
async fn ask(path: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let shown = format!("{} {}", path.display(), arguments.join(" "));
    let failed =
        |why: String| Failure::new(Outcome::BadInput, format!("`{shown}` {why}")).hint("give kubeadm with --kubeadm");
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .map_err(|_| failed(format!("has not answered within {}", humantime::format_duration(LIMIT))))?
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim().to_owned();
        return Err(failed(format!("failed ({}): {last}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Version {
    /// Of `kubeadm version -o json`.
    pub(super) fn of_json(said: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Said {
            client_version: ClientVersion,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct ClientVersion {
            git_version: String,
        }
        let text = serde_json::from_str::<Said>(said).ok()?.client_version.git_version;
        let mut parts = text.strip_prefix("v1.")?.splitn(2, '.');
        let minor = parts.next()?.parse().ok()?;
        parts.next()?;
        Some(Self { text, minor })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
