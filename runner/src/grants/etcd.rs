//! What may be read from etcd.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::cluster::MemberId;
use crate::grants::{Ask, Refused};

/// The most keys of one list, as the contract says.
const MAX_KEYS: u32 = 1000;

/// Allows reads from etcd.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EtcdGrant {
    /// Members' own status.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub status: bool,
    /// Prefixes of keys: `/registry/leases/`. A prefix that does not end in `/` also covers the key of just that name, and
    /// nothing that merely begins like it.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "prefixes")]
    pub prefixes: Vec<String>,
}

impl EtcdGrant {
    /// Whether this key is under a granted prefix.
    fn has_key(&self, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| key == prefix || key.starts_with(&folder(prefix)))
    }

    /// Whether every key that begins with this is under a granted prefix.
    fn has_all_below(&self, begin: &str) -> bool {
        self.prefixes.iter().any(|prefix| begin.starts_with(&folder(prefix)))
    }
}

fn prefixes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let prefixes = Vec::<String>::deserialize(deserializer)?;
    match prefixes.iter().find_map(|prefix| readable(prefix).err()) {
        Some(refused) => Err(serde::de::Error::custom(refused.message)),
        None => Ok(prefixes),
    }
}

/// With one slash at its end.
fn folder(prefix: &str) -> String {
    format!("{}/", prefix.strip_suffix('/').unwrap_or(prefix))
}

/// etcd takes any bytes for a key and knows no folders. What only looks like a way out of one is a mistake or a trick.
fn readable(key: &str) -> Result<(), Refused> {
    if key.is_empty() {
        return Err(Refused::invalid("an empty key or prefix stands for everything in etcd"));
    }
    if key.contains('\0') {
        return Err(Refused::invalid("a key or prefix holds a zero byte"));
    }
    if key.split('/').any(|part| part == "..") {
        return Err(Refused::invalid(format!("{key:?} holds `..`, which means nothing in etcd")));
    }
    Ok(())
}

pub(super) fn permit(grant: Option<&EtcdGrant>, ask: &Ask) -> Result<(), Refused> {
    let denied = |what: String| Err(Refused::denied(format!("{what} was not granted")));
    let none = EtcdGrant::default();
    let grant = grant.unwrap_or(&none);
    match ask {
        Ask::EtcdGet { key } => {
            readable(key)?;
            if grant.has_key(key) { Ok(()) } else { denied(format!("the key {key:?} of etcd")) }
        }
        Ask::EtcdList { prefix, limit } => {
            readable(prefix)?;
            if !(1..=MAX_KEYS).contains(limit) {
                return Err(Refused::invalid(format!("a list takes a limit of 1 to {MAX_KEYS} keys, not {limit}")));
            }
            match grant.has_all_below(prefix) {
                true => Ok(()),
                false if grant.has_key(prefix) => denied(format!("what begins with {prefix:?} in etcd (but {prefix}/ is)")),
                false => denied(format!("what begins with {prefix:?} in etcd")),
            }
        }
        Ask::EtcdStatus { member } => match member.parse::<MemberId>() {
            Err(_) => Err(Refused::invalid(format!("{member:?} is no member id"))),
            Ok(_) if grant.status => Ok(()),
            Ok(_) => denied("the status of etcd's members".to_owned()),
        },
        _ => denied("this read from etcd".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(prefixes: &[&str]) -> EtcdGrant {
        EtcdGrant { status: false, prefixes: prefixes.iter().map(|p| p.to_string()).collect() }
    }

    fn get(grant: &EtcdGrant, key: &str) -> bool {
        permit(Some(grant), &Ask::EtcdGet { key: key.to_owned() }).is_ok()
    }

    fn list(grant: &EtcdGrant, prefix: &str) -> bool {
        permit(Some(grant), &Ask::EtcdList { prefix: prefix.to_owned(), limit: 1000 }).is_ok()
    }

    #[test]
    fn a_prefix_ends_where_a_name_ends() {
        for granted in [grant(&["/registry/secrets"]), grant(&["/registry/secrets/"])] {
            assert!(get(&granted, "/registry/secrets/a") && list(&granted, "/registry/secrets/"));
            assert!(list(&granted, "/registry/secrets/a"));
            for outside in ["/registry/secrets2", "/registry/secrets2/a", "/registry/secret", "/registry/", "/", "a", ""] {
                assert!(!get(&granted, outside) && !list(&granted, outside), "{outside:?}");
            }
        }
        assert!(get(&grant(&["/a"]), "/a") && !list(&grant(&["/a"]), "/a"));
        assert!(!list(&grant(&["/a/b"]), "/a"));
        assert!(get(&grant(&["/"]), "/a") && list(&grant(&["/"]), "/") && !get(&grant(&["/"]), "a"));
    }

    #[test]
    fn ways_out_of_a_folder_and_empty_names_are_refused() {
        let granted = grant(&["/a/"]);
        for trick in ["/a/../b", "/a/..", "/a/\0", "/a/\0/b"] {
            assert!(!get(&granted, trick) && !list(&granted, trick), "{trick:?}");
        }
        assert!(get(&granted, "/a/b..c"));
        for bad in [r#"{"prefixes": [""]}"#, r#"{"prefixes": ["/a/../b"]}"#, r#"{"prefix": ["/a"]}"#] {
            assert!(serde_json::from_str::<EtcdGrant>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_and_members_are_looked_at() {
        let granted = EtcdGrant { status: true, ..grant(&["/a/"]) };
        for limit in [0, 1001, u32::MAX] {
            let ask = Ask::EtcdList { prefix: "/a/".to_owned(), limit };
            assert_eq!(permit(Some(&granted), &ask).unwrap_err().kind, "invalid");
        }
        let status = |member: &str| Ask::EtcdStatus { member: member.to_owned() };
        assert!(permit(Some(&granted), &status("8e9e05c52164694d")).is_ok());
        assert_eq!(permit(Some(&granted), &status("zz")).unwrap_err().kind, "invalid");
        assert_eq!(permit(Some(&grant(&["/a/"])), &status("1")).unwrap_err().kind, "denied");
        assert_eq!(permit(None, &status("1")).unwrap_err().kind, "denied");
    }
}
