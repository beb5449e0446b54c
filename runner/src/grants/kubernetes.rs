//! Which Kubernetes objects may be read.
//!
//! Kinds are granted one by one, and no pattern stands for several. So a Secret is readable only where somebody wrote
//! `kind: Secret`, and even then `secrets` is the better way: there the text is blotted out of whatever the plugin says.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::grants::{Ask, Refused};

/// Allows reads of one kind.
///
/// For Secrets use `secrets` instead: what is read here is not blotted out of logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesGrant {
    /// As in a manifest: `v1`, `apps/v1`.
    #[serde(deserialize_with = "of_api_version")]
    pub api_version: String,
    /// As in a manifest: `Node`, `ConfigMap`.
    #[serde(deserialize_with = "of_kind")]
    pub kind: String,
    /// Namespaces; none for kinds without one. `*` stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "of_namespaces")]
    pub namespaces: Vec<String>,
    /// Names; any where none is given. A list is refused where names are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "of_names")]
    pub names: Vec<String>,
}

/// What a plugin wants to read, whichever way.
struct Wish<'a> {
    api_version: &'a str,
    kind: &'a str,
    namespace: Option<&'a str>,
    /// None for a list.
    name: Option<&'a str>,
}

pub(super) fn permit(grants: &[KubernetesGrant], ask: &Ask) -> Result<(), Refused> {
    let wish = Wish::of(ask)?;
    wish.make_sense()?;
    if let Ask::KubernetesList { selector: Some(selector), .. } = ask {
        sensible_selector(selector)?;
    }
    match grants.iter().any(|grant| grant.covers(&wish)) {
        true => Ok(()),
        false => Err(wish.denied(grants)),
    }
}

/// Looks again at what was permitted, now that the API has said whether this kind lives in namespaces.
///
/// Without this, a list "of a kind without namespaces" that has them would be a list of all namespaces.
pub(crate) fn permit_scope(grants: &[KubernetesGrant], ask: &Ask, namespaced: bool) -> Result<(), Refused> {
    let wish = Wish::of(ask)?;
    let Wish { kind, namespace, name, .. } = wish;
    match (namespaced, namespace, name) {
        (true, None, Some(_)) => Err(Refused::invalid(format!("a {kind} lies in a namespace: name it"))),
        (false, Some(_), _) => Err(Refused::invalid(format!("a {kind} lies in no namespace: name none"))),
        (true, None, None) if !grants.iter().any(|grant| grant.is_of(&wish) && grant.all_namespaces()) => {
            Err(Refused::denied(format!("a list of {kind} in all namespaces was not granted")))
        }
        _ => Ok(()),
    }
}

impl<'a> Wish<'a> {
    fn of(ask: &'a Ask) -> Result<Self, Refused> {
        match ask {
            Ask::KubernetesGet { api_version, kind, namespace, name } => {
                Ok(Self { api_version, kind, namespace: namespace.as_deref(), name: Some(name) })
            }
            Ask::KubernetesList { api_version, kind, namespace, .. } => {
                Ok(Self { api_version, kind, namespace: namespace.as_deref(), name: None })
            }
            _ => Err(Refused::denied("this is no read from Kubernetes")),
        }
    }

    /// Refuses names that could be another path of the API, before they become part of one.
    fn make_sense(&self) -> Result<(), Refused> {
        api_version(self.api_version)?;
        kind(self.kind)?;
        self.namespace.map_or(Ok(()), namespace)?;
        self.name.map_or(Ok(()), object_name)
    }

    fn denied(&self, grants: &[KubernetesGrant]) -> Refused {
        let Self { api_version, kind, namespace, name } = self;
        if !grants.iter().any(|grant| grant.is_of(self)) {
            let hint = match (*api_version, *kind) {
                ("v1", "Secret") => "; what a plugin needs to know of one is granted by `secrets`",
                _ => "",
            };
            return Refused::denied(format!("reading {api_version} {kind} was not granted{hint}"));
        }
        let place = namespace.map_or_else(|| "without a namespace".to_owned(), |n| format!("in namespace {n:?}"));
        Refused::denied(match name {
            Some(name) => format!("reading the {kind} {name:?} {place} was not granted"),
            None => format!("a list of {kind} {place} was not granted"),
        })
    }
}

impl KubernetesGrant {
    fn is_of(&self, wish: &Wish<'_>) -> bool {
        self.api_version == wish.api_version && self.kind == wish.kind
    }

    fn all_namespaces(&self) -> bool {
        self.namespaces.iter().any(|n| n == "*")
    }

    fn covers(&self, wish: &Wish<'_>) -> bool {
        let namespace = match wish.namespace {
            Some(namespace) => self.all_namespaces() || self.namespaces.iter().any(|n| n == namespace),
            // A kind without namespaces, or a list of all of them.
            None => self.namespaces.is_empty() || wish.name.is_none() && self.all_namespaces(),
        };
        let name = self.names.is_empty() || wish.name.is_some_and(|name| self.names.iter().any(|n| n == name));
        self.is_of(wish) && namespace && name
    }
}

/// A DNS label: lower-case letters, digits and inner hyphens.
fn label(text: &str, most: usize) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=most).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Refuses a text that is not what it has to be.
fn check(good: bool, text: &str, what: &str) -> Result<(), Refused> {
    if good { Ok(()) } else { Err(Refused::invalid(format!("{text:?} is not {what}"))) }
}

fn api_version(text: &str) -> Result<(), Refused> {
    let good = match text.split_once('/') {
        Some((group, version)) => group.split('.').all(|part| label(part, 63)) && label(version, 63),
        None => label(text, 63),
    };
    check(good, text, "an apiVersion, like `v1` or `apps/v1`")
}

fn kind(text: &str) -> Result<(), Refused> {
    let good = text.bytes().all(|b| b.is_ascii_alphanumeric()) && (1..=63).contains(&text.len());
    check(good, text, "a kind, like `Node`; each is granted by itself")
}

fn namespace(text: &str) -> Result<(), Refused> {
    check(label(text, 63), text, "a namespace's name")
}

/// What the API takes as a name in a path, in its narrowest usual reading; roles have colons in theirs.
fn object_name(text: &str) -> Result<(), Refused> {
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"-._:@~+".contains(&b);
    let good = (1..=253).contains(&text.len()) && text.bytes().all(usual) && text != "." && text != "..";
    check(good, text, "an object's name")
}

/// Refuses a place that could be another path of the API.
pub(crate) fn sensible_place(in_namespace: &str, name: &str) -> Result<(), Refused> {
    namespace(in_namespace).and_then(|()| object_name(name))
}

/// A text that an operator wrote, refused where it could never be of use.
fn one<'de, D: Deserializer<'de>>(deserializer: D, check: fn(&str) -> Result<(), Refused>) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    check(&text).map_err(|refused| serde::de::Error::custom(refused.message))?;
    Ok(text)
}

fn many<'de, D: Deserializer<'de>>(
    deserializer: D,
    check: fn(&str) -> Result<(), Refused>,
) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().try_for_each(|text| check(text)).map_err(|refused| serde::de::Error::custom(refused.message))?;
    Ok(texts)
}

fn of_api_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    one(deserializer, api_version)
}

fn of_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    one(deserializer, kind)
}

fn of_namespaces<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    many(deserializer, |text| if text == "*" { Ok(()) } else { namespace(text) })
}

fn of_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    many(deserializer, object_name)
}

fn sensible_selector(text: &str) -> Result<(), Refused> {
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"-._/=!,() ".contains(&b);
    match text.len() <= 1000 && text.bytes().all(usual) {
        true => Ok(()),
        false => Err(Refused::invalid("the label selector is not one, like `app=etcd,tier!=x`, of at most 1000 characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(api_version: &str, kind: &str, namespaces: &[&str], names: &[&str]) -> KubernetesGrant {
        let owned = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
        KubernetesGrant {
            api_version: api_version.into(),
            kind: kind.into(),
            namespaces: owned(namespaces),
            names: owned(names),
        }
    }

    fn grants() -> Vec<KubernetesGrant> {
        vec![
            grant("v1", "Node", &[], &[]),
            grant("v1", "ConfigMap", &["kube-system", "etcd"], &["kubeadm-config"]),
            grant("apps/v1", "Deployment", &["*"], &[]),
            grant("v1", "Pod", &["kube-system"], &[]),
        ]
    }

    fn get(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Ask {
        Ask::KubernetesGet {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: namespace.map(Into::into),
            name: name.into(),
        }
    }

    fn list(api_version: &str, kind: &str, namespace: Option<&str>) -> Ask {
        let namespace = namespace.map(Into::into);
        Ask::KubernetesList { api_version: api_version.into(), kind: kind.into(), namespace, selector: None }
    }

    fn outcome(ask: &Ask) -> String {
        permit(&grants(), ask).map_or_else(|refused| refused.kind, |()| "granted".into())
    }

    #[test]
    fn what_is_granted_may_be_read() {
        for ask in [
            get("v1", "Node", None, "cp-1"),
            list("v1", "Node", None),
            get("v1", "ConfigMap", Some("kube-system"), "kubeadm-config"),
            get("apps/v1", "Deployment", Some("anywhere"), "x"),
            list("apps/v1", "Deployment", Some("anywhere")),
            list("apps/v1", "Deployment", None),
            list("v1", "Pod", Some("kube-system")),
        ] {
            assert_eq!(outcome(&ask), "granted", "{ask:?}");
        }
    }

    #[test]
    fn another_kind_version_namespace_or_name_is_denied() {
        for ask in [
            get("v1", "Secret", Some("kube-system"), "x"),
            get("v2", "Node", None, "cp-1"),
            get("apps/v1", "Node", None, "cp-1"),
            get("v1", "ConfigMap", Some("default"), "kubeadm-config"),
            get("v1", "ConfigMap", Some("kube-system"), "other"),
            get("v1", "ConfigMap", None, "kubeadm-config"),
            list("v1", "ConfigMap", Some("kube-system")),
            get("v1", "Pod", Some("kube"), "x"),
            get("v1", "Pod", Some("kube-system2"), "x"),
            list("v1", "Pod", None),
            get("v1", "Node", Some("kube-system"), "cp-1"),
        ] {
            assert_eq!(outcome(&ask), "denied", "{ask:?}");
        }
    }

    #[test]
    fn names_that_could_be_paths_are_no_names() {
        for ask in [
            get("v1", "Node", None, "../secrets/x"),
            get("v1", "Node", None, ".."),
            get("v1", "Node", None, ""),
            get("v1", "Node", None, "a%2f..%2fsecrets"),
            get("v1", "Node", None, "a?watch=1"),
            get("apps/v1", "Deployment", Some("a/../../v1/secrets"), "x"),
            get("apps/v1", "Deployment", Some("*"), "x"),
            get("apps/v1", "Deployment", Some(""), "x"),
            get("apps/../api/v1", "Deployment", Some("a"), "x"),
            get("v1", "Node/x", None, "x"),
        ] {
            assert_eq!(outcome(&ask), "invalid", "{ask:?}");
        }
        let ask = Ask::KubernetesList {
            api_version: "v1".into(),
            kind: "Node".into(),
            namespace: None,
            selector: Some("a=b&limit=1".into()),
        };
        assert_eq!(outcome(&ask), "invalid");
    }

    #[test]
    fn a_grant_that_could_never_be_used_is_refused_when_it_is_read() {
        let read = |json: &str| serde_json::from_str::<KubernetesGrant>(json).map_err(|e| e.to_string());
        assert!(
            read(r#"{"apiVersion":"apps/v1","kind":"Deployment","namespaces":["*"],"names":["etcd-operator"]}"#).is_ok()
        );
        for (json, why) in [
            (r#"{"apiVersion":"v1","kind":"*"}"#, "\"*\" is not a kind"),
            (r#"{"apiVersion":"core/v1/x","kind":"Node"}"#, "is not an apiVersion"),
            (r#"{"apiVersion":"v1","kind":"Pod","namespaces":["kube-*"]}"#, "is not a namespace's name"),
            (r#"{"apiVersion":"v1","kind":"Pod","names":["a/b"]}"#, "is not an object's name"),
        ] {
            let error = read(json).expect_err(json);
            assert!(error.contains(why), "{json}: {error}");
        }
    }

    #[test]
    fn secrets_are_pointed_to_their_own_grant() {
        let refused = permit(&grants(), &get("v1", "Secret", Some("kube-system"), "x")).unwrap_err();
        assert!(refused.message.ends_with("is granted by `secrets`"), "{refused}");
    }

    #[test]
    fn the_scope_of_a_kind_is_held_against_the_grant() {
        let pods_as_if_without_namespaces = [grant("v1", "Pod", &[], &[])];
        let ask = list("v1", "Pod", None);
        assert!(permit(&pods_as_if_without_namespaces, &ask).is_ok());
        assert_eq!(permit_scope(&pods_as_if_without_namespaces, &ask, true).unwrap_err().kind, "denied");
        let everywhere = [grant("apps/v1", "Deployment", &["*"], &[])];
        assert!(permit_scope(&everywhere, &list("apps/v1", "Deployment", None), true).is_ok());
        let node = get("v1", "Node", None, "cp-1");
        assert!(permit_scope(&grants(), &node, false).is_ok());
        assert_eq!(permit_scope(&grants(), &node, true).unwrap_err().kind, "invalid");
        let elsewhere = get("apps/v1", "Deployment", Some("a"), "x");
        assert_eq!(permit_scope(&everywhere, &elsewhere, false).unwrap_err().kind, "invalid");
    }
}
