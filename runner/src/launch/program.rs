//! The etcd program of a node: where it is, and which version, asked once.

use std::env;
use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use super::version::{self, EtcdVersion};
use super::{blocking, data_dir};
use crate::Problem;

/// An etcd program.
pub(super) struct EtcdProgram {
    path: PathBuf,
    version: OnceCell<EtcdVersion>,
}

impl EtcdProgram {
    /// By its path, or by a bare name that is looked up in `PATH`, as a shell does. What is not found there stays, and is said when it
    /// is asked for its version. Asks nothing yet.
    pub(super) fn new(etcd: &Path) -> Self {
        let path = if etcd.components().count() == 1 && !etcd.is_absolute() {
            let folders = env::var_os("PATH").unwrap_or_default();
            let found = env::split_paths(&folders).map(|folder| folder.join(etcd)).find(|path| path.is_file());
            found.unwrap_or_else(|| etcd.to_owned())
        } else {
            data_dir::normal(etcd)
        };
        Self { path, version: OnceCell::new() }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its version. The first time takes some 30 ms.
    pub(super) async fn version(&self) -> Result<EtcdVersion, Problem> {
        let path = self.path.clone();
        let probe = async || blocking(move || version::probe(&path)).await;
        self.version.get_or_try_init(probe).await.cloned()
    }

    /// The same for those who cannot wait: blocks. None where it does not tell.
    pub(super) fn version_now(&self) -> Option<String> {
        if let Some(version) = self.version.get() {
            return Some(version.to_string());
        }
        let version = version::probe(&self.path).ok()?;
        let text = version.to_string();
        let _ = self.version.set(version);
        Some(text)
    }
}
