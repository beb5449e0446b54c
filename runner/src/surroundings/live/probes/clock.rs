//! How far this node's clock is from another's, by the `Date` of HTTP answers.
//!
//! Such a date has whole seconds: it is the other's time, cut off. So one answer narrows the difference to a second and its own
//! round trip. Asking on until the other's second is over narrows it to about the pause between two questions.

use std::time::{Duration, SystemTime};

use http::header::{DATE, HOST};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::dial::Way;
use crate::surroundings::{ClockOffset, Refused};

/// How long to ask for the other's second to be over.
const LONGEST: Duration = Duration::from_secs(2);

/// Between two questions: a hundred of them in a second are no load for an etcd, and ten milliseconds are finer than elections need.
const PAUSE: Duration = Duration::from_millis(10);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// How large an answer may be: etcd's are a few dozen bytes.
const LARGEST: usize = 64 << 10;

/// What is known of the difference, ours minus theirs, in microseconds: it lies between these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    earliest: i64,
    latest: i64,
}

/// Compares this node's clock with the target's.
pub(super) async fn offset(way: &Way) -> Result<ClockOffset, Refused> {
    let mut connection = Connection::open(way).await?;
    let (began, mut bounds, mut first) = (Instant::now(), Bounds::UNKNOWN, None);
    loop {
        let (sent, second, received) = connection.ask(way).await?;
        bounds = bounds.narrowed(sent, second, received).ok_or_else(|| {
            Refused::new("failed", format!("the clock of {} or this node's was set while they were compared", way.target))
        })?;
        // Its next second has begun: nothing much is to be learned any more.
        if *first.get_or_insert(second) != second || began.elapsed() > LONGEST {
            return Ok(bounds.into());
        }
        sleep(PAUSE).await;
    }
}

impl Bounds {
    const UNKNOWN: Self = Self { earliest: i64::MIN, latest: i64::MAX };

    /// What is known after one more answer: sent and received by our clock, `second` by theirs, whole. None where that contradicts
    /// what was known.
    fn narrowed(self, sent: i64, second: i64, received: i64) -> Option<Self> {
        const SECOND: i64 = 1_000_000;
        // Theirs lay in [second, second + 1) at some moment between sent and received by ours.
        let earliest = self.earliest.max(sent.saturating_sub(second.saturating_add(1).saturating_mul(SECOND)));
        let latest = self.latest.min(received.saturating_sub(second.saturating_mul(SECOND)));
        (earliest <= latest).then_some(Self { earliest, latest })
    }
}

/// In whole milliseconds, outwards. What exceeds their type (24 days) is shown as its end.
impl From<Bounds> for ClockOffset {
    fn from(bounds: Bounds) -> Self {
        let fit = |millis: i64| i32::try_from(millis).unwrap_or(if millis < 0 { i32::MIN } else { i32::MAX });
        let up = |micros: i64| micros.div_euclid(1000) + i64::from(micros.rem_euclid(1000) != 0);
        Self { earliest_ms: fit(bounds.earliest.div_euclid(1000)), latest_ms: fit(up(bounds.latest)) }
    }
}

/// An HTTP/1.1 connection that answers one question after another.
struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    async fn open(way: &Way) -> Result<Self, Refused> {
        // No protocol is offered: etcd then speaks HTTP/1.1 on its client and its peer port.
        let stream = way.open(&[]).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(way, &e))?;
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { sender, _driver: AbortOnDropHandle::new(driver) })
    }

    /// One answer: when it was asked for, its date, when it came. In microseconds and seconds since 1970.
    async fn ask(&mut self, way: &Way) -> Result<(i64, i64, i64), Refused> {
        let late = |_| Refused::new("timeout", format!("{} gave no answer within {ANSWER:?}", way.target));
        timeout(ANSWER, self.exchange(way)).await.map_err(late)?
    }

    async fn exchange(&mut self, way: &Way) -> Result<(i64, i64, i64), Refused> {
        // A server may close after each answer.
        if self.sender.ready().await.is_err() {
            *self = Self::open(way).await?;
            self.sender.ready().await.map_err(|e| broken(way, &e))?;
        }
        // Both of etcd's ports answer it, without a look at the cluster.
        let request = Request::get("/version").header(HOST, way.target.to_string()).body(Empty::new());
        let request = request.map_err(|e| Refused::new("failed", e.to_string()))?;
        let sent = micros();
        let response = self.sender.send_request(request).await.map_err(|e| broken(way, &e))?;
        let received = micros();
        let second = date(&response)
            .ok_or_else(|| Refused::new("failed", format!("{} does not say its time in its answers", way.target)))?;
        Limited::new(response.into_body(), LARGEST).collect().await.map_err(|e| broken(way, &*e))?;
        Ok((sent, second, received))
    }
}

/// The second of the answer's `Date`.
fn date(response: &Response<Incoming>) -> Option<i64> {
    let text = response.headers().get(DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second())
}

/// This node's wall clock: the system's own, which is what is compared.
fn micros() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn broken(way: &Way, error: &dyn std::fmt::Display) -> Refused {
    Refused::new("unavailable", format!("{} does not answer over HTTP: {error}", way.target))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn one_answer_tells_a_second_and_its_round_trip() {
        // Sent at 100.0, received at 100.2, and it said 100.
        let bounds = Bounds::UNKNOWN.narrowed(100 * S, 100, 100 * S + 200_000).unwrap();
        assert_eq!(bounds, Bounds { earliest: -S, latest: 200_000 });
    }

    #[test]
    fn the_turn_of_the_second_tells_the_rest() {
        // Theirs is ours minus 40.3 s. Asked every 10 ms, with 1 ms there and back.
        let mut bounds = Bounds::UNKNOWN;
        for step in 0..120 {
            let sent = 100 * S + step * 10_000;
            let theirs = (sent + 500 - 40_300_000).div_euclid(S);
            bounds = bounds.narrowed(sent, theirs, sent + 1_000).unwrap();
        }
        assert!(bounds.earliest <= 40_300_000 && 40_300_000 <= bounds.latest, "{bounds:?}");
        assert!(bounds.latest - bounds.earliest <= 12_000, "{bounds:?}");
    }

    #[test]
    fn a_clock_that_was_set_meanwhile_is_found_out() {
        let bounds = Bounds::UNKNOWN.narrowed(100 * S, 100, 100 * S + 1).unwrap();
        assert_eq!(bounds.narrowed(101 * S, 90, 101 * S + 1), None);
    }

    #[test]
    fn milliseconds_are_rounded_outwards_and_end_with_their_type() {
        let shown = |earliest, latest| {
            let o = ClockOffset::from(Bounds { earliest, latest });
            (o.earliest_ms, o.latest_ms)
        };
        assert_eq!(shown(-1, 1), (-1, 1));
        assert_eq!(shown(-1000, 1000), (-1, 1));
        assert_eq!(shown(-1001, 1001), (-2, 2));
        assert_eq!(shown(i64::MIN, i64::MAX), (i32::MIN, i32::MAX));
    }
}
