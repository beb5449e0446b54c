//! Responses that a test makes up, and the requests that were sent.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::script::Script;
use crate::http::{Request, Response};
use crate::{Failure, FailureKind};

thread_local! {
    static RESPONSES: RefCell<BTreeMap<String, Script<Response>>> = const { RefCell::new(BTreeMap::new()) };
    static SENT: RefCell<Vec<Request>> = const { RefCell::new(Vec::new()) };
}

/// From now on a request gets this answer in this thread; `request` is its method and URL, as `GET https://example.com/`.
///
/// Several answers to the same request are given one after another, the last one again and again. Any other request fails with
/// [`FailureKind::Denied`].
pub fn respond(request: &str, response: Result<Response, Failure>) {
    RESPONSES.with_borrow_mut(|all| all.entry(request.to_owned()).or_default().add(0, response));
}

/// [`respond`], with an answer that takes so long: the clock of this thread goes forward by it. A request that does not wait so
/// long goes forward by its timeout, and fails with [`FailureKind::Timeout`].
pub fn respond_after_ms(ms: u32, request: &str, response: Result<Response, Failure>) {
    RESPONSES.with_borrow_mut(|all| all.entry(request.to_owned()).or_default().add(ms, response));
}

/// Takes what was sent in this thread since the last call, oldest first, also what failed.
pub fn take_requests() -> Vec<Request> {
    SENT.take()
}

pub(crate) fn send(request: &Request) -> Result<Response, Failure> {
    SENT.with_borrow_mut(|sent| sent.push(request.clone()));
    let key = format!("{} {}", request.method, request.url);
    let next = RESPONSES.with_borrow_mut(|all| all.get_mut(&key).and_then(Script::next));
    let Some((ms, response)) = next else {
        let text = format!("no response was made up for {key}: see fake::http::respond");
        return Err(Failure::new(FailureKind::Denied, text));
    };
    match request.timeout_ms.filter(|timeout| *timeout < ms) {
        Some(timeout) => {
            super::advance_ms(timeout.into());
            Err(Failure::new(FailureKind::Timeout, format!("no answer within {timeout} ms")))
        }
        None => {
            super::advance_ms(ms.into());
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock, http};

    #[test]
    fn answers_come_one_after_another_and_the_last_stays() {
        let down = Failure::new(FailureKind::Unavailable, "connection refused");
        respond("GET https://a.example/", Err(down.clone()));
        respond("GET https://a.example/", Ok(Response::new(503)));
        respond("GET https://a.example/", Ok(Response::new(200)));
        let seen: Vec<_> = (0..4).map(|_| http::get("https://a.example/").send().map(|r| r.status)).collect();
        assert_eq!(seen, [Err(down), Ok(503), Ok(200), Ok(200)]);
        assert_eq!((take_requests().len(), take_requests().len()), (4, 0));
    }

    #[test]
    fn waiting_moves_the_clock() {
        let start = clock::now_ms();
        respond_after_ms(300, "GET https://slow.example/", Ok(Response::new(200)));
        let request = http::get("https://slow.example/");
        assert_eq!(request.clone().timeout_ms(100).send().unwrap_err().kind, FailureKind::Timeout);
        assert_eq!(clock::now_ms() - start, 100);
        assert_eq!(request.send().unwrap().status, 200);
        assert_eq!(clock::now_ms() - start, 400);
    }
}
