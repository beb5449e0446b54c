//! A folder in a host's own `/etc`, for programs that have such a path built in.

use std::path::PathBuf;
use std::process::Command;

use super::Host;
use crate::Scratch;

/// Lays the host's own layer over `/etc`, and binds a folder of the test to a new folder in it. `$1`: the test's folder for it, `$2`: the
/// folder's name in `/etc`. The layer is in memory, so that it goes with the host.
const LAY: &str = r#"set -e
mkdir -p "$1/layer" "$1/$2"
mount -t tmpfs tmpfs "$1/layer"
mkdir "$1/layer/upper" "$1/layer/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/layer/upper,workdir=$1/layer/work" /etc
mkdir -p "/etc/$2"
mount --bind "$1/$2" "/etc/$2"
"#;

impl Host {
    /// Gives the host an `/etc` of its own with an empty folder of this name, and tells where the test finds that folder. Commands that
    /// run on the host ([`Host::command`]) see it; this machine's `/etc` stays as it is.
    ///
    /// Once for a host. Panics where the kernel has no overlay file system.
    pub fn own_etc(&mut self, scratch: &Scratch, name: &str) -> PathBuf {
        assert!(!self.own_mounts, "{} has mounts of its own", self.name);
        self.own_mounts = true;
        let folder = scratch.join(&self.name).join("etc");
        let mut lay = Command::new("sh");
        lay.args(["-c", LAY, "sh"]).arg(&folder).arg(name);
        let done =
            self.command(&lay).output().unwrap_or_else(|e| panic!("`nsenter` does not run ({e}): install util-linux"));
        let words = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "/etc: {words}");
        folder.join(name)
    }
}
