//! Bodies of answers, taken in with a limit.

use std::time::{Duration, Instant};

use reqwest::Response;

use super::client::{place, unreachable};
use crate::report::human::bytes_of;
use crate::supply::{Digest, SupplyError, Talk};

/// How often a long transfer says how far it is.
const EVERY: Duration = Duration::from_secs(2);

/// The whole body, at most `limit` bytes of it: one more ends the transfer.
pub(super) async fn body(
    mut answer: Response,
    what: &str,
    limit: u64,
    talk: Option<Talk<'_>>,
) -> Result<Vec<u8>, SupplyError> {
    let too_large = |size| SupplyError::TooLarge { what: what.to_owned(), size, limit };
    let whole = answer.content_length().unwrap_or(0);
    if whole > limit {
        return Err(too_large(whole));
    }
    let host = place(answer.url());
    let (mut content, mut said) = (Vec::with_capacity(whole as usize), Instant::now());
    while let Some(piece) = answer.chunk().await.map_err(|e| unreachable(&host, e))? {
        let size = content.len() as u64 + piece.len() as u64;
        if size > limit {
            return Err(too_large(size));
        }
        content.extend_from_slice(&piece);
        if let Some(talk) = talk.filter(|_| said.elapsed() >= EVERY) {
            talk(&format!("{what}: {}", bytes_of(size, whole.max(size))));
            said = Instant::now();
        }
    }
    Ok(content)
}

/// The body of a blob whose size and digest are known; anything else is refused.
pub(super) async fn blob(
    answer: Response,
    what: &str,
    (digest, size): (&Digest, u64),
    talk: Option<Talk<'_>>,
) -> Result<Vec<u8>, SupplyError> {
    let content = body(answer, what, size, talk).await?;
    let found = Digest::of(&content);
    if found != *digest {
        return Err(SupplyError::WrongDigest { what: what.to_owned(), found, expected: *digest });
    }
    Ok(content)
}
