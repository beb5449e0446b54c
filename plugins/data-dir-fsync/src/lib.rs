//! Health check: the disk below etcd's data directory syncs small writes fast enough.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `directory` | `/var/lib/etcd` | where to write: the data directory, or another existing directory on the same disk |
//! | `writes` | 100 | how many writes are timed (10 to 1000) |
//! | `warnMs` | 10 | a 99th percentile above this is a warning |
//! | `errorMs` | 50 | a 99th percentile above this refuses the join |
//!
//! etcd's FAQ (<https://etcd.io/docs/v3.5/faq/>, "failed to send out heartbeat on time") asks for a p99 of
//! `wal_fsync_duration_seconds` below 10 ms. 50 ms is half of etcd's default heartbeat interval: a member that takes longer to
//! write is late for the leader.
//!
//! It needs this grant, for the directory that it is to write in:
//!
//! ```yaml
//! grants:
//!   probes:
//!     fsync: [/var/lib/etcd]
//! ```
//!
//! Runner writes records of etcd's typical size into a file of its own, one after another, and removes it. What it does *not*
//! tell: how the disk does under load that begins later, and how much it holds. A thousand writes to a slow disk take longer than
//! a call's default 10 s: raise the plugin's limit with them.

use runner_plugin::prelude::*;
use runner_plugin::probes::{self, Latency};
use serde::Deserialize;

/// The check and its settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DataDirFsync {
    /// Where to write.
    pub directory: String,
    /// How many writes are timed.
    pub writes: u32,
    /// Above this is a warning.
    pub warn_ms: u32,
    /// Above this refuses the join.
    pub error_ms: u32,
}

impl Default for DataDirFsync {
    fn default() -> Self {
        Self { directory: "/var/lib/etcd".to_owned(), writes: 100, warn_ms: 10, error_ms: 50 }
    }
}

impl Plugin for DataDirFsync {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.directory.starts_with('/') {
            problems.push(Problem::new("directory", format!("`{}` must begin with `/`", self.directory)));
        }
        if !(10..=1000).contains(&self.writes) {
            problems.push(Problem::new("writes", format!("{} is not in 10 to 1000", self.writes)));
        }
        if self.error_ms < self.warn_ms {
            problems.push(Problem::new("errorMs", format!("{} is below warnMs ({})", self.error_ms, self.warn_ms)));
        }
        problems
    }
}

impl HealthCheck for DataDirFsync {
    fn check(&self, _: &Cluster, _: &Newcomer) -> Result<Vec<Finding>> {
        let directory = &self.directory;
        let latency = probes::fsync(directory, self.writes).map_err(|failure| match failure.kind {
            FailureKind::NotFound => {
                let hint = "set `directory` to an existing one on the same disk, and grant that";
                Error::new(format!("{directory} does not exist yet: {hint}"))
            }
            _ => failure.into(),
        })?;
        log::info(format!("{} writes in {directory}: {}", latency.count, told(latency)));
        Ok(self.judge(latency).into_iter().collect())
    }
}

impl DataDirFsync {
    fn judge(&self, latency: Latency) -> Option<Finding> {
        let above = |ms: u32| u64::from(latency.p99_us) > u64::from(ms) * 1000;
        let (severity, bound) = if above(self.error_ms) {
            (Severity::Error, self.error_ms)
        } else if above(self.warn_ms) {
            (Severity::Warning, self.warn_ms)
        } else {
            return None;
        };
        let directory = &self.directory;
        let text = format!("synchronous writes in {directory} are slow: {}; p99 should be below {bound} ms", told(latency));
        let remedy = "put etcd's data on a local SSD of its own, or find out what else writes to this disk";
        Some(Finding::new(severity, "fsync-slow", text).remedy(remedy))
    }
}

fn told(latency: Latency) -> String {
    let Latency { median_us, p99_us, max_us, .. } = latency;
    format!("median {}, p99 {}, longest {}", ms(median_us), ms(p99_us), ms(max_us))
}

fn ms(us: u32) -> String {
    format!("{}.{} ms", us / 1000, us % 1000 / 100)
}

runner_plugin::export!(DataDirFsync: HealthCheck);

#[cfg(test)]
mod tests {
    use runner_plugin::fake;
    use runner_plugin::settings::{plugin, problems};

    use super::*;

    fn check(settings: &str) -> Result<Vec<Finding>> {
        let (cluster, newcomer) = (fake::Cluster::new().build(), fake::Newcomer::new("cp-4").build());
        plugin::<DataDirFsync>(settings).unwrap().check(&cluster, &newcomer)
    }

    /// 98 writes of a millisecond, and two of this.
    fn disk(directory: &str, slowest_us: u32) {
        fake::probes::fsync(directory, Ok(Latency::of_us([vec![1000; 98], vec![slowest_us; 2]].concat())));
    }

    #[test]
    fn a_fast_disk_has_no_findings() {
        disk("/var/lib/etcd", 10_000);
        assert_eq!(check("{}").unwrap(), []);
        let text = "100 writes in /var/lib/etcd: median 1.0 ms, p99 10.0 ms, longest 10.0 ms".to_owned();
        assert_eq!(fake::take_log(), [(log::Level::Info, text)]);
    }

    #[test]
    fn a_slow_disk_is_a_warning_and_a_very_slow_one_refuses() {
        disk("/var/lib/etcd", 10_001);
        let found = check("{}").unwrap().remove(0);
        assert_eq!((found.severity, found.code.as_str()), (Severity::Warning, "fsync-slow"));
        disk("/data", 50_001);
        let found = check(r#"{"directory": "/data"}"#).unwrap().remove(0);
        assert_eq!(found.severity, Severity::Error);
        let text =
            "synchronous writes in /data are slow: median 1.0 ms, p99 50.0 ms, longest 50.0 ms; p99 should be below 50 ms";
        assert_eq!(found.message, text);
        assert_eq!(check(r#"{"directory": "/data", "warnMs": 51, "errorMs": 60}"#).unwrap(), []);
    }

    #[test]
    fn what_cannot_be_measured_is_an_error() {
        fake::probes::fsync("/data", Err(Failure::new(FailureKind::NotFound, "no such directory")));
        let error = check(r#"{"directory": "/data"}"#).unwrap_err().to_string();
        assert!(error.starts_with("/data does not exist yet: set `directory`"), "{error}");
        let error = check(r#"{"directory": "/other"}"#).unwrap_err().to_string();
        assert!(error.starts_with("denied: "), "{error}");
    }

    #[test]
    fn bad_settings_are_refused_by_path() {
        assert_eq!(problems::<DataDirFsync>("{}"), []);
        let paths = |json| problems::<DataDirFsync>(json).into_iter().map(|p| p.path).collect::<Vec<_>>();
        assert_eq!(paths(r#"{"dir": "/x"}"#), ["dir"]);
        assert_eq!(paths(r#"{"writes": "many"}"#), ["writes"]);
        let all = r#"{"directory": "var/lib", "writes": 9, "warnMs": 20, "errorMs": 19}"#;
        assert_eq!(paths(all), ["directory", "writes", "errorMs"]);
    }
}
