//! `promotion`: has the learner caught up enough to become a voter?

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{MemberId, View};
use crate::pipeline::{Sample, Verdict};
use crate::plugins::bindings::exports::runner::plugin::promotion as wit;
use crate::plugins::call::Guest;
use crate::plugins::capabilities::facts::{ClusterHandle, MemberHandle, SamplesHandle};

/// Asks for a verdict.
pub(in crate::plugins) async fn evaluate(
    guest: Guest<'_>,
    indices: wit::GuestIndices,
    view: Arc<View>,
    candidate: MemberId,
    window: Arc<[Sample]>,
) -> wasmtime::Result<Result<Verdict, String>> {
    let Guest { store, instance, .. } = guest;
    let Some(member) = MemberHandle::find(&view, candidate) else {
        return Ok(Err(format!("the candidate {candidate} is not in the observed member list")));
    };
    let role = indices.load(&mut *store, instance)?;
    let ctx = store.data_mut();
    let cluster = ctx.table.push(ClusterHandle(view))?;
    let member = ctx.table.push(member)?;
    let samples = ctx.table.push(SamplesHandle(window))?;
    let verdict = role.call_evaluate(&mut *store, cluster, member, samples).await?;
    let size = match &verdict {
        Ok(wit::Verdict::Approve) => 0,
        Ok(wit::Verdict::Wait(info)) => info.reason.len(),
        Ok(wit::Verdict::Reject(text)) | Err(text) => text.len(),
    };
    store.data_mut().meter.take(size)?;
    Ok(verdict.map(|verdict| match verdict {
        wit::Verdict::Approve => Verdict::Approve,
        wit::Verdict::Wait(info) => Verdict::Wait {
            reason: info.reason,
            retry_after: info.retry_after_ms.map(|ms| Duration::from_millis(ms.into())),
        },
        wit::Verdict::Reject(reason) => Verdict::Reject { reason },
    }))
}
