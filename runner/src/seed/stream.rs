//! The stream that `Maintenance.Snapshot` sends: a database, and the SHA-256 of it as the last 32 bytes.
//!
//! Source: etcd's `server/etcdserver/api/v3rpc/maintenance.go` (`Snapshot`) and `etcdutl/snapshot/v3_snapshot.go`, the same from 3.4 to
//! 3.7. A database is made of pages, so that its length is a multiple of 512; whoever is 32 bytes longer has the hash.

use sha2::{Digest, Sha256};

/// How long the hash is.
const HASH: usize = 32;

/// Pages have at least this many bytes.
const SECTOR: u64 = 512;

/// Follows the stream and says at its end whether it came whole. It proves the stream, not the member that sent it.
#[derive(Default)]
pub struct StreamCheck {
    hasher: Sha256,
    /// What may be the hash: the last bytes so far.
    tail: Vec<u8>,
    length: u64,
    /// How long the database is to be, by what came with the first piece.
    told: Option<u64>,
}

/// Why a copy cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// It ended early, or the member sends no hash.
    #[error("the copy is not whole: {0} bytes are no database with its hash")]
    Cut(u64),
    /// It goes on without an end: etcd sends empty pieces for ever where its own disk fails under it.
    #[error("the member goes on sending beyond the end of its database, or nothing: look at its disk")]
    Endless,
    /// Something in it was changed on its way.
    #[error("the copy was damaged on its way: its SHA-256 is not the one that was sent")]
    Damaged,
}

impl StreamCheck {
    /// The next piece of the stream, in its order, with the bytes that are still to come by what was sent with it.
    ///
    /// # Errors
    ///
    /// It would never end.
    pub fn push(&mut self, piece: &[u8], remaining: u64) -> Result<(), StreamError> {
        self.length += piece.len() as u64;
        let told = *self.told.get_or_insert_with(|| remaining.saturating_add(self.length));
        if piece.is_empty() || self.length > told.saturating_add(HASH as u64) {
            return Err(StreamError::Endless);
        }
        self.tail.extend_from_slice(piece);
        let sure = self.tail.len().saturating_sub(HASH);
        self.hasher.update(&self.tail[..sure]);
        self.tail.drain(..sure);
        Ok(())
    }

    /// Bytes so far, the hash among them.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How long the database is, without the hash.
    ///
    /// # Errors
    ///
    /// The stream is not whole, or not what was sent.
    pub fn finish(self) -> Result<u64, StreamError> {
        let database = self.length.saturating_sub(HASH as u64);
        if database == 0 || !database.is_multiple_of(SECTOR) {
            return Err(StreamError::Cut(self.length));
        }
        if self.hasher.finalize().as_slice() == self.tail { Ok(database) } else { Err(StreamError::Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(database: &[u8]) -> Vec<u8> {
        [database, Sha256::digest(database).as_slice()].concat()
    }

    fn received(stream: &[u8], piece: usize) -> Result<u64, StreamError> {
        let mut check = StreamCheck::default();
        let mut remaining = (stream.len() as u64).saturating_sub(32);
        for piece in stream.chunks(piece) {
            remaining = remaining.saturating_sub(piece.len() as u64);
            check.push(piece, remaining)?;
        }
        check.finish()
    }

    #[test]
    fn what_is_no_database_with_a_hash_is_refused() {
        for length in [0, 31, 32, 512, 513, 543, 545, 1024] {
            assert_eq!(received(&vec![7; length], 100), Err(StreamError::Cut(length as u64)), "{length}");
        }
        assert_eq!(received(&[7; 544], 100), Err(StreamError::Damaged));
    }

    #[test]
    fn a_stream_without_an_end_is_given_up() {
        let mut check = StreamCheck::default();
        check.push(&[7; 512], 512).unwrap();
        assert_eq!(check.push(&[], 512), Err(StreamError::Endless));
        check.push(&[7; 512], 0).unwrap();
        check.push(&[7; 32], 0).unwrap();
        assert_eq!(check.push(&[7], 0), Err(StreamError::Endless));
    }

    proptest! {
        /// Whatever the pieces, the whole is accepted, and a single bit makes the difference.
        #[test]
        fn the_whole_is_accepted_and_nothing_else(sectors in 1usize..6, fill in any::<u8>(), piece in 1usize..2000, at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut stream = sent(&vec![fill; sectors * 512]);
            prop_assert_eq!(received(&stream, piece), Ok(sectors as u64 * 512));
            let at = at.index(stream.len());
            stream[at] ^= 1u8 << bit;
            prop_assert_eq!(received(&stream, piece), Err(StreamError::Damaged));
            stream.truncate(at);
            prop_assert!(received(&stream, piece).is_err());
        }
    }
}
