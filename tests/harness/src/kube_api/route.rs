//! Where a request leads: its path, and what it wants there.

use super::discovery;
use super::failure::{Outcome, no_such_path};
use super::http::{Request, decoded};
use super::kinds::{self, Kind};

/// Objects of one kind: one of them if a name is there, else those of a namespace or all.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) kind: &'static Kind,
    /// Empty for all of them, and for kinds without one.
    pub(super) namespace: String,
    /// Empty for a list.
    pub(super) name: String,
    /// Whether the path leads to the object's status.
    pub(super) status: bool,
}

/// What a path leads to.
pub(super) enum Route {
    /// What the server is and can.
    Server(discovery::Page),
    /// Objects.
    Objects(Place),
}

impl Place {
    /// The namespace if there is one.
    pub(super) fn within(&self) -> Option<&str> {
        (!self.namespace.is_empty()).then_some(self.namespace.as_str())
    }
}

/// Reads a request's path.
pub(super) fn route(request: &Request) -> Outcome<Route> {
    let parts: Vec<String> = request.path().trim_matches('/').split('/').map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if let Some(page) = discovery::page(&parts) {
        return Ok(Route::Server(page));
    }
    let (group, rest) = match parts.as_slice() {
        ["api", "v1", rest @ ..] => ("", rest),
        ["apis", group, "v1", rest @ ..] => (*group, rest),
        _ => return Err(no_such_path()),
    };
    let (namespace, rest) = match rest {
        // The namespace itself and its status, not something in it.
        ["namespaces", _] | ["namespaces", _, "status"] => ("", rest),
        ["namespaces", namespace, rest @ ..] => (*namespace, rest),
        rest => ("", rest),
    };
    let (plural, name, status) = match rest {
        [plural] => (*plural, "", false),
        [plural, name] => (*plural, *name, false),
        [plural, name, "status"] => (*plural, *name, true),
        _ => return Err(no_such_path()),
    };
    let kind = kinds::by_plural(group, plural).ok_or_else(no_such_path)?;
    let in_order = match (kind.namespaced, namespace.is_empty()) {
        (true, true) => name.is_empty(),
        (false, given) => given,
        (true, false) => true,
    };
    if !in_order || (status && !kind.status) {
        return Err(no_such_path());
    }
    Ok(Route::Objects(Place { kind, namespace: namespace.to_owned(), name: name.to_owned(), status }))
}

/// What a request wants at a place, in RBAC's words; none for a method that does not go with it.
pub(super) fn verb(request: &Request, place: &Place) -> Option<&'static str> {
    Some(match (request.method.as_str(), place.name.is_empty()) {
        ("GET", _) if request.flag("watch") => "watch",
        ("GET", true) => "list",
        ("GET", false) => "get",
        ("POST", true) => "create",
        ("PUT", false) => "update",
        ("PATCH", false) => "patch",
        ("DELETE", true) => "deletecollection",
        ("DELETE", false) => "delete",
        _ => return None,
    })
}
