//! The container's log as the kubelet keeps it: `<pod logs>/kube-system_etcd-<node>_<uid>/etcd/<restart count>.log`.
//!
//! Each line is `<time> <stdout|stderr> <F|P> <text>`; `P` marks a piece of a line that goes on. Source: the CRI's logging format
//! (kubernetes/design-proposals, kubelet-cri-logging) and the kubelet's `kuberuntime/logs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::launch::log;

/// The logs of one container's starts since a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Starts {
    /// The newest one's log; none where it was not started.
    pub(super) newest: Option<PathBuf>,
    /// How often it was started again.
    pub(super) restarts: u64,
}

impl Starts {
    /// Looks for the logs of etcd that were written to since this moment. The kubelet keeps few old ones: their numbers tell how
    /// many there were.
    pub(super) fn since(logs: &Path, moment: SystemTime) -> Self {
        let mut found: Vec<(u64, SystemTime, PathBuf)> = Vec::new();
        for folder in children(logs) {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.starts_with("kube-system_etcd-") {
                continue;
            }
            for file in children(&folder.join("etcd")) {
                let number = file.file_name().and_then(|n| n.to_str()?.strip_suffix(".log")?.parse().ok());
                let written = file.metadata().and_then(|about| about.modified()).ok();
                if let (Some(number), Some(written)) = (number, written.filter(|at| *at >= moment)) {
                    found.push((number, written, file));
                }
            }
        }
        let newest = found.iter().max_by_key(|(number, written, _)| (*written, *number)).map(|(.., file)| file.clone());
        // Of that pod alone: an earlier pod of this name may have written its last words since, under a higher number.
        let pod = newest.as_ref().and_then(|file| file.parent());
        let numbers = || found.iter().filter(|(.., file)| file.parent() == pod).map(|(number, ..)| *number);
        let restarts = numbers().max().unwrap_or(0) - numbers().min().unwrap_or(0);
        Self { newest, restarts }
    }

    /// Whether the newest one was written to since this moment.
    pub(super) fn written_since(&self, moment: SystemTime) -> bool {
        let written = self.newest.as_ref().and_then(|file| file.metadata().ok()?.modified().ok());
        written.is_some_and(|written| written >= moment)
    }

    /// The last lines of the newest log, readable, oldest first.
    pub(super) fn last_words(&self, lines: usize) -> Vec<String> {
        let bytes = self.newest.as_ref().and_then(|path| log::end_of(path).ok()).unwrap_or_default();
        log::last(&plain(&String::from_utf8_lossy(&bytes)), lines)
    }
}

fn children(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The container's own lines. What is not in the format stays as it is.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut parts = line.splitn(4, ' ');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(_time), Some("stdout" | "stderr"), Some(tag), Some(said)) => {
                out.push_str(said);
                // Tags may get further marks, behind colons.
                if tag.split(':').next() != Some("P") {
                    out.push('\n');
                }
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn pieces_become_lines() {
        let text = "\
2026-01-01T00:00:00.000000001Z stderr F {\"level\":\"info\",\"msg\":\"one\"}
2026-01-01T00:00:00.000000002Z stderr P {\"level\":\"info\",
2026-01-01T00:00:00.000000003Z stderr F \"msg\":\"two\"}
2026-01-01T00:00:00.000000004Z stdout F 
rotated away
";
        assert_eq!(
            plain(text),
            "{\"level\":\"info\",\"msg\":\"one\"}\n{\"level\":\"info\",\"msg\":\"two\"}\n\nrotated away\n"
        );
    }

    #[test]
    fn restarts_are_counted_by_the_numbers_that_are_left() {
        let logs = tempfile::tempdir().unwrap();
        let before = SystemTime::now() - Duration::from_secs(60);
        assert_eq!(Starts::since(logs.path(), before), Starts::default());
        let write = |pod: &str, file: &str| {
            let folder = logs.path().join(pod).join("etcd");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(file), format!("x stderr F {{\"level\":\"info\",\"msg\":\"{file}\"}}\n")).unwrap();
        };
        write("kube-system_etcd-n2_abc", "4.log");
        write("kube-system_etcd-n2_abc", "6.log");
        write("kube-system_etcd-n2_abc", "5.log.20260101-000000.gz");
        write("kube-system_kube-apiserver-n2_def", "9.log");
        let found = Starts::since(logs.path(), before);
        assert_eq!(found.restarts, 2);
        assert_eq!(found.last_words(5), ["info: 6.log"]);
        assert_eq!(Starts::since(logs.path(), SystemTime::now() + Duration::from_secs(60)), Starts::default());
        // A pod that was before it, and whose log was written to a little later than it was told to end.
        std::thread::sleep(Duration::from_millis(20));
        write("kube-system_etcd-n2_new", "0.log");
        assert_eq!(Starts::since(logs.path(), before).restarts, 0);
    }
}
