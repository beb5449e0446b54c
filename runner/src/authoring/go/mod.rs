//! Go: `go build` and the deny adapter.

use super::{Job, Trouble};

/// Builds the project into `job.output`.
pub(super) fn build(_: &Job<'_>) -> Result<(), Trouble> {
    Err(Trouble::new("this runner cannot build Go plugins yet"))
}
