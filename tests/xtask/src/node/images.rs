//! The images of a control plane, made and not pulled: one archive in the format of the Open Container Initiative.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::containerd;
use crate::{context::Context, process, scratch::Scratch, setup::etcd};

/// Writes `images.tar` beside the programs, under the names that this kubeadm uses; gives the name of the pause image.
pub(super) fn write(context: &Context, scratch: &Scratch, version: &str, etcd: &etcd::Server) -> Result<String> {
    let kubeadm = scratch.path().join("kubeadm");
    let names = process::output(Command::new(&kubeadm).args(["config", "images", "list", "--kubernetes-version", version]))?;
    let mut archive = Archive::new(scratch.path().join("images"))?;
    let kubernetes = archive.layer(&scratch.path().join("kubernetes"), "kubernetes")?;
    let server = archive.layer(&etcd.program, "etcd")?;
    let first = archive.layer(&containerd::folder(context).join("pause"), "pause")?;
    let mut pause = None;
    for name in names.lines() {
        let what = name.rsplit('/').next().and_then(|last| last.split(':').next()).unwrap_or_default();
        match what {
            "kube-apiserver" | "kube-controller-manager" | "kube-scheduler" => archive.image(name, &kubernetes, what)?,
            "pause" => {
                archive.image(name, &first, what)?;
                pause = Some(name.to_owned());
            }
            // kubeadm's own choice is another patch; the cluster's configuration names ours.
            "etcd" => archive.image(&with_tag(name, &format!("{}-0", etcd.version)), &server, what)?,
            // CoreDNS and kube-proxy: the network of pods is none of what is tested.
            _ => {}
        }
    }
    archive.finish(&scratch.path().join("images.tar"))?;
    pause.context("kubeadm names no pause image")
}

fn with_tag(name: &str, tag: &str) -> String {
    format!("{}:{tag}", name.rsplit_once(':').map_or(name, |(name, _)| name))
}

/// An OCI image layout in the making.
struct Archive {
    folder: PathBuf,
    manifests: Vec<Value>,
}

/// A file of the layout.
struct Blob {
    digest: String,
    size: u64,
}

impl Archive {
    fn new(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(folder.join("blobs/sha256"))?;
        fs::write(folder.join("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
        Ok(Self { folder, manifests: Vec::new() })
    }

    /// A layer with this static program as `/usr/local/bin/<name>`, the names of Kubernetes' programs as links to it, and an empty `/tmp`.
    fn layer(&self, program: &Path, name: &str) -> Result<Blob> {
        let root = self.folder.join("root");
        let bin = root.join("usr/local/bin");
        fs::create_dir_all(&bin)?;
        fs::create_dir_all(root.join("tmp"))?;
        fs::copy(program, bin.join(name)).with_context(|| format!("failed to copy {}", program.display()))?;
        if name == "kubernetes" {
            for link in super::kubernetes::NAMES {
                std::os::unix::fs::symlink(name, bin.join(link))?;
            }
        }
        let layer = self.folder.join("layer.tar");
        let mut tar = Command::new("tar");
        tar.args(["--create", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--sort=name", "--file"]);
        process::output(tar.arg(&layer).arg("--directory").arg(&root).arg("."))?;
        fs::remove_dir_all(&root)?;
        self.blob(&layer)
    }

    /// An image of that name with this one layer, which runs `/usr/local/bin/<program>`.
    fn image(&mut self, name: &str, layer: &Blob, program: &str) -> Result<()> {
        let described = |media: &str, blob: &Blob| json!({ "mediaType": media, "digest": blob.digest, "size": blob.size });
        let config = self.text(&json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            // kubeadm's manifests name the programs without a folder.
            "config": { "Entrypoint": [format!("/usr/local/bin/{program}")], "Env": ["PATH=/usr/local/bin"] },
            "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
        }))?;
        let manifest = self.text(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described("application/vnd.oci.image.config.v1+json", &config),
            "layers": [described("application/vnd.oci.image.layer.v1.tar", layer)],
        }))?;
        let mut entry = described("application/vnd.oci.image.manifest.v1+json", &manifest);
        entry["annotations"] = json!({ "io.containerd.image.name": name });
        self.manifests.push(entry);
        Ok(())
    }

    /// Everything as one file.
    fn finish(self, file: &Path) -> Result<()> {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": self.manifests,
        });
        fs::write(self.folder.join("index.json"), index.to_string())?;
        process::output(
            Command::new("tar").arg("--create").arg("--file").arg(file).arg("--directory").arg(&self.folder).arg("."),
        )?;
        fs::remove_dir_all(&self.folder).context("failed to remove what the archive was made of")
    }

    fn text(&self, value: &Value) -> Result<Blob> {
        let file = self.folder.join("text");
        fs::write(&file, value.to_string())?;
        self.blob(&file)
    }

    /// Moves the file to the place that its content names.
    fn blob(&self, file: &Path) -> Result<Blob> {
        let said = process::output(Command::new("sha256sum").arg("--").arg(file))?;
        let digest = said.split_whitespace().next().context("sha256sum says nothing")?.to_owned();
        let size = file.metadata()?.len();
        fs::rename(file, self.folder.join("blobs/sha256").join(&digest))?;
        Ok(Blob { digest: format!("sha256:{digest}"), size })
    }
}
