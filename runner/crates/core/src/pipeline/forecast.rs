//! The oracle, asked before every change of the membership: what etcd will answer, and what the cluster survives then.

use std::time::Duration;

use super::run::Run;
use crate::clock;
use crate::cluster::oracle::{Change, Forecast, Link, Situation};
use crate::cluster::{MemberId, Result as ClusterResult, View};
use crate::event::EventKind;

/// An observation older than this is made anew before a promotion, the one change that there is no way back from.
const FRESH: Duration = Duration::from_secs(2);

/// Asks the oracle by the last observation, or a new one where there is none that knows the member, and tells what it says unless that was
/// told last.
pub(super) async fn tell(run: &mut Run, change: &Change) -> ClusterResult<Forecast> {
    let knows = |view: &View| match change {
        Change::Promote(id) | Change::Remove(id) => view.get(*id).is_some(),
        _ => true,
    };
    let view = match run.view.as_ref().filter(|view| knows(view)) {
        Some(view) => view.clone(),
        None => run.observe().await?,
    };
    Ok(told(run, Forecast::of(&Situation::of(&view), change)))
}

/// The same for the promotion of this member, by an observation of this moment; and why it must not be promoted now, if it
/// must not.
///
/// What the checks refused before the add is refused here, too: a voter may have been lost since. With its newcomer dead, a cluster
/// must still have a quorum. A second voter cannot give that, and is the only exception.
pub(super) async fn promotion(run: &mut Run, id: MemberId) -> ClusterResult<Option<String>> {
    let old = |at| Duration::try_from(clock::now().duration_since(at)).unwrap_or_default() > FRESH;
    if run.view.as_ref().is_some_and(|view| old(view.observed_at)) {
        run.view = None;
    }
    let forecast = tell(run, &Change::Promote(id)).await?;
    let Some(view) = run.view.clone() else { return Ok(None) };
    let situation = Situation::of(&view);
    if !forecast.tolerance.hangs_on_newcomer() || view.voters().count() == 1 {
        return Ok(None);
    }
    // What is not known to be mended by then is not waited for here again.
    run.view = None;
    let down = situation.members.iter().filter(|m| m.member.voter() && m.link == Link::Down).map(|m| m.member.label());
    let down: Vec<_> = down.collect();
    Ok(Some(format!("with it the cluster would stop if it failed; silent: {}", down.join(", "))))
}

fn told(run: &mut Run, forecast: Forecast) -> Forecast {
    if run.forecast.as_ref() != Some(&forecast) {
        run.forecast = Some(forecast.clone());
        run.emit(EventKind::Forecast(forecast.clone()));
    }
    forecast
}
