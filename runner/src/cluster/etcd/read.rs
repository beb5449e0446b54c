//! Reads of keys, for plugins that were granted them.

use etcd_client::{GetOptions, SortOrder, SortTarget};

use super::{EtcdCluster, READ_TIMEOUT};
use crate::cluster::Result;

/// How many keys one request asks for at first. Halved where an answer is larger than a gRPC message may be.
const PAGE: usize = 256;

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The whole key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// The revision of its last change.
    pub mod_revision: u64,
}

impl EtcdCluster {
    /// One key, read linearizably; none where it is not there.
    ///
    /// # Errors
    ///
    /// As every call to the endpoint, within [`READ_TIMEOUT`].
    pub async fn read_key(&self, endpoint: &str, key: &str) -> Result<Option<KeyValue>> {
        let answer =
            self.call(endpoint, READ_TIMEOUT, |client| async move { client.kv_client().get(key, None).await }).await?;
        Ok(answer.kvs().first().map(key_value))
    }

    /// Up to `limit` keys that begin with `prefix`, in order, read linearizably and all at one revision; none where they have more
    /// than `room` bytes.
    ///
    /// # Errors
    ///
    /// As every call to the endpoint; each page has its own [`READ_TIMEOUT`].
    pub async fn read_prefix(
        &self,
        endpoint: &str,
        prefix: &str,
        limit: usize,
        room: usize,
    ) -> Result<Option<Vec<KeyValue>>> {
        let end = range_end(prefix.as_bytes());
        let (mut found, mut left, mut page) = (Vec::new(), room, PAGE);
        let (mut from, mut revision) = (prefix.as_bytes().to_vec(), 0);
        while found.len() < limit {
            let wanted = page.min(limit - found.len());
            let options = GetOptions::new()
                .with_range(end.clone())
                .with_limit(wanted as i64)
                .with_revision(revision)
                .with_sort(SortTarget::Key, SortOrder::Ascend);
            let key = from.clone();
            let call = |client: etcd_client::Client| async move { client.kv_client().get(key, Some(options)).await };
            let answer = match self.call(endpoint, READ_TIMEOUT, call).await {
                Err(error) if wanted > 1 && error.message.contains("message length too large") => {
                    page = wanted / 2;
                    continue;
                }
                answer => answer?,
            };
            // Later pages are of the same moment as the first.
            revision = if revision == 0 { answer.header().map_or(0, |header| header.revision()) } else { revision };
            for kv in answer.kvs().iter().filter(|kv| kv.key().starts_with(prefix.as_bytes())) {
                match left.checked_sub(kv.key().len() + kv.value().len()) {
                    Some(rest) => left = rest,
                    None => return Ok(None),
                }
                found.push(key_value(kv));
            }
            let Some(last) = answer.kvs().last().filter(|_| answer.more()) else { break };
            // The very next key there can be.
            from = [last.key(), b"\0"].concat();
        }
        Ok(Some(found))
    }
}

/// The first key that does not begin with this prefix any more: its last byte that can be is one larger, and what follows is cut.
/// etcd reads a zero byte as "to the end of all keys".
fn range_end(prefix: &[u8]) -> Vec<u8> {
    let keep = prefix.iter().rposition(|byte| *byte != 0xff);
    match keep {
        Some(at) => [&prefix[..at], &[prefix[at] + 1]].concat(),
        None => vec![0],
    }
}

fn key_value(kv: &etcd_client::KeyValue) -> KeyValue {
    KeyValue {
        key: kv.key().to_vec(),
        value: kv.value().to_vec(),
        mod_revision: u64::try_from(kv.mod_revision()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_right_after_the_prefix() {
        assert_eq!(range_end(b"/a/"), b"/a0");
        assert_eq!(range_end(b"a\xff"), b"b");
        assert_eq!(range_end(b"\xff"), [0]);
    }
}
