//! A small disk of a host's own, to be filled.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Host;

impl Host {
    /// Mounts an empty disk of so many megabytes (in memory, so that it goes with the host) at this folder, for the host's own commands
    /// ([`Host::command`]); the test reaches it through [`Host::path`].
    ///
    /// Once for a host, and not for one with an `/etc` of its own.
    pub fn small_disk(&mut self, folder: &Path, megabytes: u64) {
        assert!(!self.own_mounts, "{} has mounts of its own", self.name);
        self.own_mounts = true;
        fs::create_dir_all(folder).expect("the folder can be made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=0700"), "tmpfs"]).arg(folder);
        let done =
            self.command(&mount).output().unwrap_or_else(|e| panic!("`nsenter` does not run ({e}): install util-linux"));
        let words = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{}: {words}", folder.display());
    }
}
