//! Kubernetes' own programs, containerd and the images, as `cargo xtask node` has built them.

use std::fs;
use std::path::PathBuf;

use crate::target_dir;

/// The parts of one version of Kubernetes.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The minor version: `1.36`.
    pub minor: String,
    /// Kubernetes' version as kubeadm takes it: `v1.36.3`.
    pub version: String,
    /// The etcd in the images: `3.6.16`.
    pub etcd: String,
    /// The name of the image that keeps a pod's namespaces.
    pub pause: String,
    /// `kubeadm`, `kubelet`, `kubectl` and those of the control plane, and `images.tar`.
    pub kubernetes: PathBuf,
    /// `containerd`, its shim, `ctr` and `runc`.
    pub containerd: PathBuf,
}

impl Parts {
    /// Those of a minor version (`1.36`), or none where they are not built.
    pub fn find(minor: &str) -> Option<Self> {
        let folder = target_dir().join("tools/node");
        let kubernetes = folder.join(format!("kubernetes-{minor}"));
        let said = |file: &str| fs::read_to_string(kubernetes.join(file)).ok().map(|text| text.trim().to_owned());
        Some(Self {
            minor: minor.to_owned(),
            version: said("version")?,
            etcd: said("etcd")?,
            pause: said("pause")?,
            kubernetes,
            containerd: Some(folder.join("containerd")).filter(|folder| folder.join("runc").exists())?,
        })
    }

    /// The same; panics with the command that builds them.
    pub fn of(minor: &str) -> Self {
        Self::find(minor).unwrap_or_else(|| panic!("Kubernetes {minor} is not built: run `cargo xtask node` as root"))
    }
}
