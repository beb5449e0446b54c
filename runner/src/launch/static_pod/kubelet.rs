//! What the kubelet of this node is told: where it looks for manifests, and where it keeps the pods' logs.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Problem;
use crate::launch::{MANIFESTS_DIR, StaticPodConfig, data_dir, refuse};

/// Where a kubelet keeps pods' logs unless told otherwise.
const POD_LOGS: &str = "/var/log/pods";

/// No configuration is larger.
const MOST: u64 = 1 << 20;

/// A `KubeletConfiguration`, as far as it matters here. Files of its `--config-dir` may say otherwise, and are not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Kubelet {
    static_pod_path: Option<PathBuf>,
    pod_logs_dir: Option<PathBuf>,
}

impl Kubelet {
    /// Reads the configuration. One that is not there, or not for us to read, says nothing: a distribution may keep it elsewhere.
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let mut text = String::new();
        match File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut text)) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(refuse(format!("cannot read {}: {error}", path.display()), &[])),
        }
        // An empty path is the kubelet's way to say that it takes none.
        let found: Option<Self> = serde_saphyr::from_str(&text).map_err(|error| {
            let text = format!("the kubelet's configuration {} cannot be read: {}", path.display(), error.without_snippet());
            refuse(text, &["give the right one with --kubelet-config"])
        })?;
        Ok(found.unwrap_or_default())
    }

    /// The manifests folder: as given, which must be the kubelet's where that is known; else the kubelet's; else kubeadm's.
    pub(super) fn manifests_dir(&self, config: &StaticPodConfig) -> Result<PathBuf, Problem> {
        let source = config.kubelet_config.display();
        match (&config.manifests_dir, &self.static_pod_path) {
            (_, Some(theirs)) if theirs.as_os_str().is_empty() => {
                let text = format!("the kubelet takes no static pods: {source} has an empty staticPodPath");
                Err(refuse(text, &["set staticPodPath there and restart the kubelet"]))
            }
            (Some(given), Some(theirs)) if !same(given, theirs) => {
                let text = format!("the kubelet looks for manifests in {}, not in {}", theirs.display(), given.display());
                let hint = format!("give --manifests-dir {}, as staticPodPath in {source} says", theirs.display());
                Err(refuse(text, &[&hint]))
            }
            (Some(given), _) => Ok(data_dir::normal(given)),
            (None, Some(theirs)) => Ok(data_dir::normal(theirs)),
            (None, None) => Ok(PathBuf::from(MANIFESTS_DIR)),
        }
    }

    /// Where the pods' logs are.
    pub(super) fn pod_logs(&self) -> PathBuf {
        self.pod_logs_dir.clone().unwrap_or_else(|| PathBuf::from(POD_LOGS))
    }
}

/// Whether both paths lead to the same folder, by whatever way.
fn same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => data_dir::normal(a) == data_dir::normal(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str, given: Option<&str>) -> Result<(PathBuf, PathBuf), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, text).unwrap();
        let config = StaticPodConfig {
            manifests_dir: given.map(PathBuf::from),
            kubelet_config: path.clone(),
            ..StaticPodConfig::default()
        };
        let named = |error: Problem| error.message.replace(path.to_str().unwrap(), "FILE");
        let kubelet = Kubelet::read(&path).map_err(named)?;
        Ok((kubelet.manifests_dir(&config).map_err(named)?, kubelet.pod_logs()))
    }

    const THEIRS: &str = "kind: KubeletConfiguration\nstaticPodPath: /etc/theirs\nclusterDNS: [10.96.0.10]\n";

    #[test]
    fn the_folder_is_the_kubelets() {
        assert_eq!(asked(THEIRS, None).unwrap().0, Path::new("/etc/theirs"));
        assert_eq!(asked(THEIRS, Some("/etc/theirs/")).unwrap().0, Path::new("/etc/theirs"));
        assert_eq!(asked("kind: KubeletConfiguration\n", None).unwrap().0, Path::new(MANIFESTS_DIR));
        assert_eq!(asked("", Some("/etc/ours")).unwrap(), ("/etc/ours".into(), POD_LOGS.into()));
        assert_eq!(asked("podLogsDir: /logs\n", None).unwrap().1, Path::new("/logs"));
    }

    #[test]
    fn a_folder_that_the_kubelet_does_not_watch_is_refused() {
        let refused = |text: &str, given| asked(text, given).unwrap_err();
        assert_eq!(refused(THEIRS, Some("/etc/ours")), "the kubelet looks for manifests in /etc/theirs, not in /etc/ours");
        assert_eq!(
            refused("staticPodPath: \"\"\n", None),
            "the kubelet takes no static pods: FILE has an empty staticPodPath"
        );
        assert!(refused("staticPodPath: [\n", None).starts_with("the kubelet's configuration FILE cannot be read"));
        assert_eq!(Kubelet::read(Path::new("/no/such/file")), Ok(Kubelet::default()));
    }
}
