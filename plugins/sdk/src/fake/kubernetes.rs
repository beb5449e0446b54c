//! Kubernetes objects that a test makes up.

use std::cell::RefCell;

use serde_json::Value;

use super::selector::Selector;
use crate::{Failure, FailureKind};

thread_local! {
    static OBJECTS: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
    static FAILURE: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

/// Puts an object, as in a manifest, before the plugin in this thread; one of the same kind, namespace and name is replaced.
///
/// Where nothing was put, there are no objects: everything that a test asks for counts as granted.
pub fn add(object: Value) {
    OBJECTS.with_borrow_mut(|all| {
        all.retain(|known| key(known) != key(&object));
        all.push(object);
    });
}

/// From now on every read fails with this in this thread; none ends that.
pub fn fail(failure: Option<Failure>) {
    FAILURE.set(failure);
}

pub(crate) fn get(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Result<Option<String>, Failure> {
    answer(|object| is(object, api_version, kind) && key(object).2 == namespace && key(object).3 == Some(name))
        .map(|found| found.into_iter().next())
}

pub(crate) fn list(
    api_version: &str,
    kind: &str,
    namespace: Option<&str>,
    selector: Option<&str>,
) -> Result<Vec<String>, Failure> {
    let selector = Selector::parse(selector.unwrap_or_default())
        .map_err(|what| Failure::new(FailureKind::Invalid, format!("bad label selector: {what}")))?;
    answer(|object| {
        is(object, api_version, kind)
            && namespace.is_none_or(|namespace| key(object).2 == Some(namespace))
            && selector.matches(&object["metadata"]["labels"])
    })
}

fn answer(wanted: impl Fn(&Value) -> bool) -> Result<Vec<String>, Failure> {
    match FAILURE.with_borrow(Clone::clone) {
        Some(failure) => Err(failure),
        None => Ok(OBJECTS.with_borrow(|all| all.iter().filter(|o| wanted(o)).map(Value::to_string).collect())),
    }
}

fn is(object: &Value, api_version: &str, kind: &str) -> bool {
    (key(object).0, key(object).1) == (Some(api_version), Some(kind))
}

type Key<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn key(object: &Value) -> Key<'_> {
    let metadata = &object["metadata"];
    (object["apiVersion"].as_str(), object["kind"].as_str(), metadata["namespace"].as_str(), metadata["name"].as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubernetes::Resource;

    #[test]
    fn objects_are_found_by_name_and_label() {
        let pods = Resource::new("v1", "Pod").namespace("kube-system");
        for (name, role) in [("etcd-1", "voter"), ("etcd-2", "learner")] {
            let metadata = json!({ "namespace": "kube-system", "name": name, "labels": { "role": role } });
            add(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata }));
        }
        assert_eq!(pods.get("etcd-1").unwrap().unwrap()["metadata"]["labels"]["role"], "voter");
        assert_eq!(pods.list(Some("role=learner")).unwrap().len(), 1);
        assert_eq!(Resource::new("v1", "Pod").list(None).unwrap().len(), 2);
        assert_eq!(Resource::new("v1", "Pod").namespace("default").list(None).unwrap().len(), 0);
        assert_eq!(Resource::new("v1", "Pod").get("etcd-1").unwrap(), None);

        let denied = Failure::new(FailureKind::Denied, "no");
        fail(Some(denied.clone()));
        assert_eq!(pods.get("etcd-1").unwrap_err(), denied);
    }
}
