//! Granted paths, by their text. Where links lead is looked at by whoever opens them.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize as _, Deserializer};

use crate::grants::Refused;

/// The granted path that covers this one, the closest of several.
///
/// # Errors
///
/// `invalid` for a path that is not absolute or says `.` or `..`; `denied` where no grant covers it. `what` names the grant.
pub(crate) fn covering<'a>(granted: &'a [PathBuf], path: &str, what: &str) -> Result<&'a Path, Refused> {
    plain(path)?;
    let covering = granted.iter().map(PathBuf::as_path).filter(|grant| is_plain(grant));
    // Whole components are compared: `/var/lib/etcd` covers nothing of `/var/lib/etcd2`.
    let closest = covering.filter(|grant| Path::new(path).starts_with(grant)).max_by_key(|grant| grant.components().count());
    closest.ok_or_else(|| Refused::denied(format!("{path:?} does not lie in a path that {what} was granted for")))
}

/// Refuses a path that is spelled in a way in which it could mean another place.
fn plain(path: &str) -> Result<(), Refused> {
    let bad = |why: &str| Err(Refused::invalid(format!("{path:?} {why}; give an absolute path as it is")));
    if path.contains('\0') {
        return bad("holds a zero byte");
    }
    if !path.starts_with('/') {
        return bad("is not absolute");
    }
    if path.split('/').any(|part| part == "." || part == "..") {
        return bad("goes through `.` or `..`");
    }
    Ok(())
}

/// An operator's paths, refused where they could never cover anything.
pub(super) fn granted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    let paths = Vec::<PathBuf>::deserialize(deserializer)?;
    for path in &paths {
        if path.as_os_str().is_empty() {
            return Err(serde::de::Error::custom("an empty path; `/` stands for everything"));
        }
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(serde::de::Error::custom(format!("{path:?} goes through `..`; give the path as it is")));
        }
    }
    Ok(paths)
}

fn is_plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(granted: &[&str], path: &str) -> Result<String, String> {
        let granted: Vec<PathBuf> = granted.iter().map(PathBuf::from).collect();
        covering(&granted, path, "fsync").map(|p| p.display().to_string()).map_err(|refused| refused.kind)
    }

    #[test]
    fn a_granted_path_covers_itself_and_what_is_below() {
        assert_eq!(find(&["/var/lib/etcd"], "/var/lib/etcd"), Ok("/var/lib/etcd".into()));
        assert_eq!(find(&["/var/lib/etcd"], "/var/lib/etcd/"), Ok("/var/lib/etcd".into()));
        assert_eq!(find(&["/var", "/var/lib/etcd"], "/var/lib/etcd/member/wal"), Ok("/var/lib/etcd".into()));
    }

    #[test]
    fn nothing_else_is_covered() {
        let denied = Err("denied".to_owned());
        assert_eq!(find(&["/var/lib/etcd"], "/var/lib/etcd2"), denied);
        assert_eq!(find(&["/var/lib/etcd"], "/var/lib"), denied);
        assert_eq!(find(&["/var/lib/etcd"], "/"), denied);
        assert_eq!(find(&[], "/var/lib/etcd"), denied);
        // A grant that is no plain path grants nothing.
        assert_eq!(find(&["var", "", "/var/../etc"], "/etc"), denied);
    }

    #[test]
    fn a_path_that_could_mean_another_place_is_no_path() {
        let invalid = Err("invalid".to_owned());
        for path in
            ["/var/lib/etcd/../../../etc", "/var/lib/etcd/..", "/var/lib/etcd/./x", "var/lib/etcd", "", "/var/lib/etcd\0/x"]
        {
            assert_eq!(find(&["/var/lib/etcd"], path), invalid, "{path:?}");
        }
    }
}
