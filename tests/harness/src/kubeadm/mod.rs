//! A stand-in kubeadm for one host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Node, repository, write_node};

/// A stand-in kubeadm. What it is and does: `kubeadm.sh`.
pub struct Kubeadm {
    folder: PathBuf,
}

impl Kubeadm {
    /// Makes one for this node: of a minor version that `tests/kubeadm` knows (33, 35 or 36), with the CA in this pki folder, this
    /// kubeconfig as the cluster's `admin.conf`, and this image as its choice of etcd.
    pub fn of(node: &Node, minor: u32, shared: &Path, kubeconfig: &Path, image: &str) -> Self {
        let folder = node.state_dir.with_file_name("kubeadm");
        let kubeadm = Self { folder };
        let said = repository().join(format!("tests/kubeadm/v1.{minor}"));
        for file in ["version.json", "skippable.txt"] {
            kubeadm.write(&format!("said/{file}"), &fs::read(said.join(file)).unwrap_or_else(|e| panic!("{file}: {e}")));
        }
        write_node(&shared.join("etcd"), &kubeadm.folder.join("pki/etcd"), &node.name, &[node.address]);
        kubeadm.write("kubeconfig", &fs::read(kubeconfig).expect("the kubeconfig can be read"));
        kubeadm.write("image", format!("{image}\n").as_bytes());
        kubeadm.write("pki-dir", node.pki_dir.display().to_string().as_bytes());
        // By another process: a child of a test beside this one would hold a file of ours open for writing, and it could not be run.
        let script = repository().join("tests/harness/src/kubeadm/kubeadm.sh");
        let copied = Command::new("install").args(["-m", "755"]).arg(script).arg(kubeadm.program()).status();
        assert!(copied.is_ok_and(|status| status.success()), "the stand-in could not be copied");
        kubeadm
    }

    /// The program.
    pub fn program(&self) -> PathBuf {
        self.folder.join("kubeadm")
    }

    /// The phases that it ran, in their order, over all calls.
    pub fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("ran")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Whether it has started the kubelet.
    pub fn has_started_the_kubelet(&self) -> bool {
        self.folder.join("kubelet-runs").exists()
    }

    /// Lets a phase fail, until [`Kubeadm::mend`].
    pub fn let_fail(&self, phase: &str) {
        self.write(&format!("fail-{phase}"), b"");
    }

    /// Ends [`Kubeadm::let_fail`].
    pub fn mend(&self, phase: &str) {
        fs::remove_file(self.folder.join(format!("fail-{phase}"))).expect("it was to fail");
    }

    fn write(&self, name: &str, text: &[u8]) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a file in the folder")).expect("the folder can be made");
        fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}
