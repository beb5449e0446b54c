//! Who asks, and whether RBAC lets them.
//!
//! Roles and bindings are objects like others; what they allow is read from them anew for every request.

use serde_json::{Value, json};

use super::State;
use super::failure::{Answer, Outcome, failure, forbidden};
use super::http::Request;
use super::kinds;
use super::route::Place;

/// Whoever is in it may do everything.
const MASTERS: &str = "system:masters";

const RBAC: &str = "rbac.authorization.k8s.io";

/// Somebody who is known by a token.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) groups: Vec<String>,
}

/// What somebody wants to do: the words that rules are about.
struct Wish<'a> {
    verb: &'a str,
    group: &'a str,
    /// `nodes`, `nodes/status`
    resource: &'a str,
    namespace: &'a str,
    name: &'a str,
}

/// Who sends a request. An administrator may speak for others (`Impersonate-User`).
pub(super) fn who(state: &State, request: &Request) -> Outcome<User> {
    let token = request.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
    let known = state.users.iter().find(|(t, _)| t == token).map(|(_, user)| user.clone());
    let user = known.ok_or_else(|| failure(401, "Unauthorized", "Unauthorized"))?;
    match request.header("impersonate-user") {
        "" => Ok(user),
        other if user.is_master() => Ok(User { name: other.to_owned(), groups: vec!["system:authenticated".to_owned()] }),
        other => {
            let words = format!(
                "users {other:?} is forbidden: User {:?} cannot impersonate resource \"users\" in API group \"\" at the cluster \
                 scope",
                user.name
            );
            Err(failure(403, "Forbidden", &words))
        }
    }
}

/// Refuses what nobody may do (a test said so) or what this user may not. `name` is the object's, where one is meant.
pub(super) fn permit(state: &State, user: &User, verb: &str, place: &Place, name: &str) -> Outcome<()> {
    let kind = place.kind;
    let resource = if place.status { format!("{}/status", kind.plural) } else { kind.plural.to_owned() };
    // Of a namespace, the API says that it is in itself.
    let namespace = if kind.kind == "Namespace" { place.name.as_str() } else { place.namespace.as_str() };
    let wish = Wish { verb, group: kind.group, resource: &resource, namespace, name };
    let closed = state.forbidden.iter().any(|plural| plural == kind.plural);
    // Everybody may ask what they may.
    if !closed && (kind == &kinds::ACCESS_REVIEW || allowed(state, user, &wish)) {
        return Ok(());
    }
    let scope = match namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {namespace:?}"),
    };
    let words = format!("User {:?} cannot {verb} resource {resource:?} in API group {:?} {scope}", user.name, kind.group);
    Err(forbidden(kind, name, &words))
}

/// The answer to somebody's question whether they may do something.
pub(super) fn review(state: &State, user: &User, question: &Value) -> Answer {
    let about = &question["spec"]["resourceAttributes"];
    let text = |field: &str| about[field].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let (verb, group, namespace, name) = (text("verb"), text("group"), text("namespace"), text("name"));
    let allowed = allowed(state, user, &Wish { verb, group, resource: &resource, namespace, name });
    let mut answer = question.clone();
    answer["metadata"] = json!({});
    answer["status"] = json!({ "allowed": allowed });
    (201, answer)
}

impl User {
    fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == MASTERS)
    }

    fn is_among(&self, subjects: &Value) -> bool {
        let is = |subject: &Value| {
            let name = subject["name"].as_str().unwrap_or_default();
            match subject["kind"].as_str() {
                Some("User") => name == self.name,
                Some("Group") => self.groups.iter().any(|group| group == name),
                Some("ServiceAccount") => {
                    let namespace = subject["namespace"].as_str().unwrap_or_default();
                    self.name == format!("system:serviceaccount:{namespace}:{name}")
                }
                _ => false,
            }
        };
        subjects.as_array().into_iter().flatten().any(is)
    }
}

fn allowed(state: &State, user: &User, wish: &Wish<'_>) -> bool {
    if user.is_master() {
        return true;
    }
    let everywhere = bound(state, user, "clusterrolebindings", None);
    let here = (!wish.namespace.is_empty()).then(|| bound(state, user, "rolebindings", Some(wish.namespace)));
    everywhere.into_iter().chain(here.into_iter().flatten()).any(|rule| rule_allows(&rule, wish))
}

/// The rules of the roles that bindings of a kind give to a user.
fn bound(state: &State, user: &User, plural: &str, namespace: Option<&str>) -> Vec<Value> {
    let objects = |plural: &str, namespace: Option<&str>| {
        let kind = kinds::by_plural(RBAC, plural).expect("it is known");
        let all: Vec<Value> = state.store.all(kind, namespace).map(|(_, object)| object.clone()).collect();
        all
    };
    let ours = objects(plural, namespace).into_iter().filter(|binding| user.is_among(&binding["subjects"]));
    let rules = ours.flat_map(|binding| {
        let role = &binding["roleRef"];
        let roles = match role["kind"].as_str() {
            Some("Role") => objects("roles", namespace),
            _ => objects("clusterroles", None),
        };
        let named = roles.into_iter().find(|r| r["metadata"]["name"] == role["name"]);
        named.and_then(|role| role["rules"].as_array().cloned()).unwrap_or_default()
    });
    rules.collect()
}

fn rule_allows(rule: &Value, wish: &Wish<'_>) -> bool {
    let has = |field: &str, wanted: &str| {
        rule[field].as_array().into_iter().flatten().filter_map(Value::as_str).any(|v| v == "*" || v == wanted)
    };
    let any_status = wish.resource.split_once('/').is_some_and(|(_, sub)| has("resources", &format!("*/{sub}")));
    let names = rule["resourceNames"].as_array().filter(|names| !names.is_empty());
    has("verbs", wish.verb)
        && has("apiGroups", wish.group)
        && (has("resources", wish.resource) || any_status)
        && names.is_none_or(|names| names.iter().any(|name| name == wish.name))
}
