//! Where it was measured: without that, figures mean nothing.

use serde::Serialize;

/// The machine and the build.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    kernel: String,
    profile: &'static str,
    load_before: String,
}

impl Machine {
    /// This one, now.
    pub(crate) fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let processor = cpuinfo.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
        let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: processor.unwrap_or("unknown processor").to_owned(),
            kernel,
            profile: if cfg!(debug_assertions) { "dev (figures are indicative only)" } else { "release" },
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or("unknown").to_owned(),
        }
    }

    /// One line for people.
    pub(crate) fn line(&self, versions: &[String]) -> String {
        format!(
            "machine: {} cores ({}), Linux {}, load {} before; etcd {}; profile {}",
            self.cores,
            self.processor,
            self.kernel,
            self.load_before,
            versions.join(", "),
            self.profile
        )
    }
}
