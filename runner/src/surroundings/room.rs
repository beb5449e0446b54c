//! How much of an answer the asker still takes.

use tokio::task_local;

/// What is taken where nobody said: what a plugin's call may move in all by default.
const DEFAULT: usize = 16 << 20;

task_local! {
    static ROOM: usize;
}

/// Answers with the knowledge that the asker takes so many bytes at most, so that a longer answer is cut off where it comes from
/// instead of being held in memory first.
pub async fn within<T>(room: usize, answer: impl Future<Output = T>) -> T {
    ROOM.scope(room, answer).await
}

/// How many bytes the asker takes, in the future that [`within`] runs.
pub fn room() -> usize {
    ROOM.try_with(|room| *room).unwrap_or(DEFAULT)
}
