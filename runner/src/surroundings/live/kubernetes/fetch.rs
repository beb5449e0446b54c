//! One request to the API, with an answer of bounded size, and what its errors mean.

use kube::Client;

use crate::kubernetes::{Broken, exchange, words};
use crate::surroundings::{Refused, room};

/// Bytes that all answers to one question may have together: half of what may cross a plugin's boundary in one call.
const LARGEST: usize = 8 << 20;

/// How many bytes may still come, of so many in all.
pub(super) struct Room {
    left: usize,
    all: usize,
}

impl Room {
    /// For what the asker is given: no more than it takes.
    pub(super) fn of_the_asker() -> Self {
        Self::of(LARGEST.min(room()))
    }

    /// For what is read on the way to an answer.
    pub(super) fn of_our_own() -> Self {
        Self::of(LARGEST)
    }

    fn of(all: usize) -> Self {
        Self { left: all, all }
    }
}

/// The body of an answer; none where the API says that there is no such thing.
pub(super) async fn fetch(
    client: &Client,
    request: http::Request<Vec<u8>>,
    what: &str,
    room: &mut Room,
) -> Result<Option<Vec<u8>>, Refused> {
    let (status, body) = exchange(client, request, room.left).await.map_err(|broken| match broken {
        Broken::TooLarge => Refused::new("too-large", format!("{what} takes more than {} KiB", room.all >> 10)),
        Broken::BrokeOff(why) => Refused::new("unavailable", format!("the Kubernetes API broke off its answer: {why}")),
        Broken::Credentials(why) => {
            let text = format!("the kubeconfig's credentials for the Kubernetes API cannot be used: {why}");
            Refused::new("unavailable", text)
        }
        Broken::Unreachable(why) => Refused::new("unavailable", format!("the Kubernetes API cannot be reached: {why}")),
    })?;
    room.left = room.left.saturating_sub(body.len());
    match status {
        200..=299 => Ok(Some(body.into())),
        404 => Ok(None),
        code => Err(refused(code, &body, what)),
    }
}

/// An answer that is no answer of this API.
pub(super) fn garbage(what: &str) -> Refused {
    Refused::new("failed", format!("the Kubernetes API answered with something else than {what}"))
}

/// What the API says to a request that it does not fulfil.
fn refused(code: u16, body: &[u8], what: &str) -> Refused {
    let told = words(code, body);
    match code {
        // The API's own words name the user and what it may not do.
        401 | 403 => Refused::new("failed", format!("the Kubernetes API refuses {what} to runner's kubeconfig: {told}")),
        400 | 405 | 422 => Refused::invalid(format!("the Kubernetes API cannot be asked for {what}: {told}")),
        408 | 429 | 500..=599 => Refused::new("unavailable", format!("the Kubernetes API cannot give {what} now: {told}")),
        _ => Refused::new("failed", format!("the Kubernetes API does not give {what}: {told}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apis_refusals_keep_its_words() {
        let status = r#"{"kind":"Status","apiVersion":"v1","code":403,"message":"nodes \"x\" is forbidden: User \"y\""}"#;
        let of = |code, body: &str| refused(code, body.as_bytes(), "the Node \"x\"");
        let forbidden = of(403, status);
        assert_eq!(forbidden.kind, "failed");
        assert!(forbidden.message.contains("refuses the Node \"x\"") && forbidden.message.contains("User \"y\""));
        assert_eq!(of(503, "no JSON").kind, "unavailable");
        assert!(of(503, "no JSON").message.ends_with("it answered with status 503"));
        assert_eq!(of(429, status).kind, "unavailable");
        assert_eq!(of(400, status).kind, "invalid");
        assert_eq!(of(410, status).kind, "failed");
        let endless = format!(r#"{{"message":"{}"}}"#, "x".repeat(10_000));
        assert!(of(410, &endless).message.len() < 500);
    }
}
