//! The process that keeps a host's namespaces alive: its network, and its view of the file system.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::Scratch;

/// A process in new namespaces (network, mounts) that does nothing. It ends when its standard input does, so at the latest with the
/// test.
pub(super) struct Holder {
    child: Child,
    namespace: File,
}

impl Holder {
    /// Starts one. Its arguments name a path in the scratch, for whoever looks at the processes.
    pub(super) fn start(scratch: &Scratch, name: &str) -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "sh", "-c", "echo ready; read -r line"]).arg(scratch.join(name).join("host"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("`unshare` does not run ({e}): install util-linux"));
        let mut line = String::new();
        let said = BufReader::new(child.stdout.take().expect("it is a pipe")).read_line(&mut line);
        assert!(said.is_ok() && line == "ready\n", "a network namespace could not be made; see in_a_network_of_its_own");
        let namespace = File::open(format!("/proc/{}/ns/net", child.id())).expect("its namespace can be opened");
        Self { child, namespace }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn namespace(&self) -> &File {
        &self.namespace
    }

    /// Ends the process; the namespace goes when nothing else is in it.
    pub(super) fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.end();
    }
}
