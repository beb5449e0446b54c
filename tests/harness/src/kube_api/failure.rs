//! What the API says when it refuses: `Status` documents, with the real API server's codes, reasons and words.

use serde_json::{Value, json};

use super::kinds::Kind;

/// An answer: a status and a document.
pub(super) type Answer = (u16, Value);

/// An answer, or a refusal to give at once.
pub(super) type Outcome<T = Answer> = Result<T, Answer>;

pub(super) fn failure(code: u16, reason: &str, message: &str) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (code, status)
}

/// A refusal about one object; its details name it.
fn about(kind: &Kind, name: &str, code: u16, reason: &str, message: &str) -> Answer {
    let (code, mut status) = failure(code, reason, message);
    status["details"] = json!({ "name": name, "group": kind.group, "kind": kind.plural });
    (code, status)
}

/// A path that leads nowhere.
pub(super) fn no_such_path() -> Answer {
    failure(404, "NotFound", "the server could not find the requested resource")
}

pub(super) fn not_found(kind: &Kind, name: &str) -> Answer {
    about(kind, name, 404, "NotFound", &format!("{} {name:?} not found", kind.qualified()))
}

pub(super) fn already_exists(kind: &Kind, name: &str) -> Answer {
    about(kind, name, 409, "AlreadyExists", &format!("{} {name:?} already exists", kind.qualified()))
}

/// Somebody else was faster, or a precondition does not hold.
pub(super) fn conflict(kind: &Kind, name: &str, why: &str) -> Answer {
    let words = format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.qualified());
    about(kind, name, 409, "Conflict", &words)
}

/// A delete whose precondition (`UID`, `ResourceVersion`) does not hold. The real one names the kind here, not the resource.
pub(super) fn precondition(kind: &Kind, name: &str, what: &str, wanted: &str, there: &str) -> Answer {
    let since = if what == "UID" { "deleted and then recreated" } else { "modified" };
    let group = if kind.group.is_empty() { String::new() } else { format!(".{}", kind.group) };
    let words = format!(
        "Operation cannot be fulfilled on {}{group} {name:?}: the {what} in the precondition ({wanted}) does not match the {what} \
         in record ({there}). The object might have been {since}",
        kind.kind
    );
    about(kind, name, 409, "Conflict", &words)
}

/// The object that was sent is older than the one that is there.
pub(super) fn stale(kind: &Kind, name: &str) -> Answer {
    conflict(kind, name, "the object has been modified; please apply your changes to the latest version and try again")
}

pub(super) fn bad_request(message: &str) -> Answer {
    failure(400, "BadRequest", message)
}

/// A watch or a list from a time that is no longer known.
pub(super) fn expired(message: &str) -> Answer {
    failure(410, "Expired", message)
}

/// One thing that is wrong with an object.
#[derive(Debug)]
pub(super) struct Cause {
    pub(super) reason: &'static str,
    pub(super) field: String,
    pub(super) words: String,
}

impl Cause {
    /// A value that cannot be; `value` as Go's `%v` or `%q` prints it.
    pub(super) fn invalid(field: &str, value: &str, why: &str) -> Self {
        Self { reason: "FieldValueInvalid", field: field.into(), words: format!("Invalid value: {value}: {why}") }
    }

    pub(super) fn required(field: &str) -> Self {
        Self { reason: "FieldValueRequired", field: field.into(), words: "Required value".into() }
    }

    pub(super) fn unsupported(field: &str, value: &str, supported: &str) -> Self {
        let words = format!("Unsupported value: {value:?}: supported values: {supported}");
        Self { reason: "FieldValueNotSupported", field: field.into(), words }
    }

    pub(super) fn duplicate(field: &str, value: &str) -> Self {
        Self { reason: "FieldValueDuplicate", field: field.into(), words: format!("Duplicate value: {value}") }
    }

    fn line(&self) -> String {
        format!("{}: {}", self.field, self.words)
    }
}

/// An object that breaks the rules of its kind.
pub(super) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Answer {
    let lines: Vec<_> = causes.iter().map(Cause::line).collect();
    let what = match lines.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let group = if kind.group.is_empty() { String::new() } else { format!(".{}", kind.group) };
    let message = format!("{}{group} {name:?} is invalid: {what}", kind.kind);
    let (code, mut status) = failure(422, "Invalid", &message);
    let causes: Vec<_> =
        causes.iter().map(|c| json!({ "reason": c.reason, "message": c.words, "field": c.field })).collect();
    status["details"] = json!({ "name": name, "group": kind.group, "kind": kind.kind, "causes": causes });
    (code, status)
}

/// Somebody who may not do this.
pub(super) fn forbidden(kind: &Kind, name: &str, why: &str) -> Answer {
    let object = if name.is_empty() { String::new() } else { format!(" {name:?}") };
    about(kind, name, 403, "Forbidden", &format!("{}{object} is forbidden: {why}", kind.qualified()))
}

/// What a delete says when nothing is left of the object.
pub(super) fn deleted(kind: &Kind, name: &str, uid: &Value) -> Answer {
    let details = json!({ "name": name, "group": kind.group, "kind": kind.plural, "uid": uid });
    (200, json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details }))
}
