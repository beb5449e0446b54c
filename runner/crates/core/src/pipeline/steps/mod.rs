//! The steps, one file each: what it observes, what it does, its undo beside it.

pub(super) use add_learner::AddLearner;
pub(super) use announce::announce;
pub(super) use check::{Check, Whom, joined};
pub(super) use discover::Discover;
pub(super) use lock::Lock;
pub(super) use promote::promote;
pub(super) use start_member::StartMember;
pub(super) use sync::Sync;
pub(super) use verify::verify;

mod add_learner;
mod announce;
mod approval;
pub(super) mod check;
mod discover;
mod lock;
mod promote;
mod start_member;
mod sync;
mod verify;
