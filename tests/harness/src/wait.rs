//! Waiting for something to become true.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How often is asked.
const EVERY: Duration = Duration::from_millis(10);

/// Asks until it answers `Ok`, and gives that answer; panics with the last `Err` after `bound`.
///
/// The bound is real time: a question that hangs is cut off at the bound too.
pub async fn eventually<T, E: Display>(what: &str, bound: Duration, mut ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    let start = Instant::now();
    let mut last = String::from("no answer yet");
    while let Some(left) = bound.checked_sub(start.elapsed()) {
        match tokio::time::timeout(left, ask()).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => break,
        }
        tokio::time::sleep(EVERY).await;
    }
    panic!("waited {bound:?} for {what}; last: {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_the_first_good_answer() {
        let mut asked = 0;
        let answer = eventually("three", Duration::from_secs(5), async || {
            asked += 1;
            if asked == 3 { Ok(asked) } else { Err("not yet") }
        });
        assert_eq!(answer.await, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "for the impossible; last: never")]
    async fn gives_up_with_the_last_error() {
        eventually("the impossible", Duration::from_millis(50), async || Err::<(), _>("never")).await;
    }

    #[tokio::test]
    #[should_panic(expected = "for a hanging question")]
    async fn cuts_off_a_question_that_hangs() {
        eventually("a hanging question", Duration::from_millis(50), async || {
            std::future::pending::<()>().await;
            Ok::<_, String>(())
        })
        .await;
    }
}
