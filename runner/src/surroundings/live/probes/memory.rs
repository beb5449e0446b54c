//! Main memory: the node's, or what the control group that runner is in may use of it, where that is less.

use std::fs;
use std::path::{Path, PathBuf};

use crate::surroundings::{Refused, Space};

/// Reads `/proc` and `/sys` below `root`. `available` counts what the kernel can take back at once, its file cache first.
pub(super) fn of(root: &Path) -> Result<Space, Refused> {
    let failed = |why: String| Refused::new("failed", format!("this node's memory cannot be read: {why}"));
    let text = fs::read_to_string(root.join("proc/meminfo")).map_err(|e| failed(format!("/proc/meminfo: {e}")))?;
    let line = |name: &str| meminfo(&text, name).ok_or_else(|| failed(format!("/proc/meminfo says nothing of {name}")));
    let mut space = Space { total: line("MemTotal")?, available: line("MemAvailable")? };
    for limit in limits(root) {
        space.total = space.total.min(limit.most);
        space.available = space.available.min(limit.most.saturating_sub(limit.used));
    }
    Ok(space)
}

/// `MemTotal:       16384 kB`, in bytes.
fn meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What one control group may use, and uses.
struct Limit {
    most: u64,
    used: u64,
}

/// The limits of our own control group and of all above it; none where there are none.
fn limits(root: &Path) -> Vec<Limit> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let of = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        match controllers {
            "" => Some(up(root.join("sys/fs/cgroup"), path, V2)),
            c if c.split(',').any(|c| c == "memory") => Some(up(root.join("sys/fs/cgroup/memory"), path, V1)),
            _ => None,
        }
    };
    groups.lines().filter_map(of).flatten().collect()
}

/// The names of a version's files: the limit, the use, and the line of `memory.stat` for file cache that is not in use.
type Files = [&'static str; 3];
const V2: Files = ["memory.max", "memory.current", "inactive_file"];
const V1: Files = ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"];

fn up(mount: PathBuf, path: &str, files: Files) -> Vec<Limit> {
    let own = Path::new(path.trim_start_matches('/'));
    own.ancestors().filter_map(|group| limit(&mount.join(group), files)).collect()
}

fn limit(group: &Path, [most, used, cache]: Files) -> Option<Limit> {
    let number = |file: &str| fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok();
    // `max` is no number: no limit.
    let most = number(most)?;
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let cache = stat.lines().find_map(|line| line.strip_prefix(cache)?.trim().parse::<u64>().ok());
    Some(Limit { most, used: number(used)?.saturating_sub(cache.unwrap_or(0)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:       16000 kB\nMemFree:          100 kB\nMemAvailable:    9000 kB\n";

    fn node(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn kib(files: &[(&str, &str)]) -> (u64, u64) {
        let space = of(node(files).path()).unwrap();
        (space.total / 1024, space.available / 1024)
    }

    #[test]
    fn a_node_without_limits_has_what_the_kernel_says() {
        assert_eq!(kib(&[("proc/meminfo", MEMINFO)]), (16000, 9000));
        let unlimited = [
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "0::/a\n"),
            ("sys/fs/cgroup/a/memory.max", "max\n"),
            ("sys/fs/cgroup/a/memory.current", "4096\n"),
        ];
        assert_eq!(kib(&unlimited), (16000, 9000));
    }

    #[test]
    fn the_tightest_limit_above_counts_and_file_cache_is_not_use() {
        let limited = [
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "1:cpu:/other\n0::/a/b\n"),
            ("sys/fs/cgroup/a/memory.max", "4096000\n"),
            ("sys/fs/cgroup/a/memory.current", "2048000\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 1024000\n"),
            ("sys/fs/cgroup/a/b/memory.max", "8192000\n"),
            ("sys/fs/cgroup/a/b/memory.current", "0\n"),
        ];
        assert_eq!(kib(&limited), (4000, 3000));
    }

    #[test]
    fn the_first_version_of_control_groups_counts_too() {
        let limited = [
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "9:cpu,cpuacct:/x\n8:memory:/pod\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n"),
            ("sys/fs/cgroup/memory/pod/memory.limit_in_bytes", "1024000\n"),
            ("sys/fs/cgroup/memory/pod/memory.usage_in_bytes", "9999999\n"),
        ];
        assert_eq!(kib(&limited), (1000, 0));
    }

    #[test]
    fn this_node_has_memory() {
        let space = of(Path::new("/")).unwrap();
        assert!(space.total > 1 << 20 && space.available <= space.total, "{space:?}");
        assert_eq!(of(node(&[("proc/meminfo", "MemTotal: x kB")]).path()).unwrap_err().kind, "failed");
    }
}
