//! What of a join is done already: by the files that kubeadm leaves, and by what was written down.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::Part;

/// kubeadm's folder, `/etc/kubernetes` on every node that it has made, and the file in which runner keeps what it has done.
#[derive(Clone, Debug)]
pub struct Folder {
    /// kubeadm's folder.
    pub kubernetes: PathBuf,
    /// The record.
    pub record: PathBuf,
}

/// What is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// kubeadm has begun to write, so that its preflight would refuse the node.
    pub begun: bool,
    /// It has written everything that comes before the kubelet.
    pub prepared: bool,
    /// The kubelet is started, or has even registered the node.
    pub kubelet_started: bool,
    /// What that was seen by, for people.
    pub seen: Vec<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Record {
    /// The parts that have ended well.
    done: Vec<String>,
}

impl Folder {
    /// Looks. Files count more than the record where they say less: somebody may have run `kubeadm reset`.
    pub fn done(&self) -> Done {
        let has = |file: &str| self.kubernetes.join(file).exists();
        let recorded = self.read().done;
        let was = |part: Part| recorded.iter().any(|name| name == name_of(part));
        let written: Vec<&str> = ["admin.conf", "manifests/kube-apiserver.yaml", "kubelet.conf", "bootstrap-kubelet.conf"]
            .into_iter()
            .filter(|file| has(file))
            .collect();
        let all_there = has("admin.conf") && has("manifests/kube-apiserver.yaml");
        let registered = has("kubelet.conf");
        let prepared = all_there && (was(Part::Prepare) || registered);
        let kubelet_started = prepared && (registered || (was(Part::Kubelet) && has("bootstrap-kubelet.conf")));
        let seen = written.iter().map(|file| self.kubernetes.join(file).display().to_string()).collect();
        Done { begun: !written.is_empty(), prepared, kubelet_started, seen }
    }

    /// Writes down that a part has ended well.
    ///
    /// # Errors
    ///
    /// The record cannot be written.
    pub fn finished(&self, part: Part) -> std::io::Result<()> {
        let mut record = self.read();
        let name = name_of(part).to_owned();
        if !record.done.contains(&name) {
            record.done.push(name);
        }
        let text = serde_json::to_vec(&record)?;
        let folder = self.record.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(&self.record).map_err(|error| error.error)?;
        Ok(())
    }

    /// Forgets the record: the whole has come to its end.
    pub fn forget(&self) {
        let _ = std::fs::remove_file(&self.record);
    }

    /// What was written down; nothing where it is not there, or no record.
    fn read(&self) -> Record {
        std::fs::read(&self.record).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }
}

fn name_of(part: Part) -> &'static str {
    match part {
        Part::Prepare => "prepare",
        Part::Check => "check",
        Part::Kubelet => "kubelet",
        Part::Member => "member",
        Part::Finish => "finish",
    }
}
