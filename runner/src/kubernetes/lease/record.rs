//! What a Lease says, what follows from it, and what is written into it. Pure: time is given.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokio::time::Instant;

use crate::kubernetes::time::{micro, ours};
use crate::pipeline::Queue;
use crate::text::one_line;

/// How long a holder that does not renew keeps the Lease; the same as for etcd's key.
pub(super) const DURATION: Duration = Duration::from_secs(15);

/// On Leases that a runner has made, so that a runner may remove them again. One that somebody else has made is only cleared.
pub(super) const MADE_BY: &str = "runner.dev/made-by-run";

/// The most of a holder's name that is shown.
const SHOWN: usize = 100;

/// Who we are: a run that works for a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) run: String,
    pub(super) node: String,
}

/// What is to be done about a Lease.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// It is ours already.
    Ours,
    /// Nobody has it.
    Free,
    /// It was not renewed for its time, as far as we have looked on; by whom.
    Expired(Queue),
    /// Somebody has it.
    Held(Queue),
}

/// The last record that was seen of somebody else, and since when it has not changed.
///
/// A Lease is only taken over after *we* have seen it unchanged for its time, as client-go does
/// (tools/leaderelection/leaderelection.go, `observedTime`): clocks of different machines are not compared.
#[derive(Debug, Default)]
pub(super) struct Observer {
    seen: Option<(LeaseSpec, Instant)>,
}

impl Observer {
    /// Judges what was read now.
    pub(super) fn decide(&mut self, lease: &Lease, us: &Identity, now: Instant, wall: Timestamp) -> Decision {
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder == us.text() {
            return Decision::Ours;
        }
        if holder.is_empty() {
            return Decision::Free;
        }
        let since = match &self.seen {
            Some((seen, since)) if *seen == spec => *since,
            _ => now,
        };
        let (allowed, queue) = (time_of(&spec), queue(&spec, wall));
        self.seen = Some((spec, since));
        if now.duration_since(since) >= allowed { Decision::Expired(queue) } else { Decision::Held(queue) }
    }
}

impl Identity {
    /// As it stands in the Lease. A run's id holds no `_`.
    pub(super) fn text(&self) -> String {
        format!("{}_{}", self.node, self.run)
    }
}

/// A Lease of ours where there was none.
pub(super) fn made(namespace: &str, name: &str, us: &Identity, wall: Timestamp) -> Lease {
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        annotations: Some([(MADE_BY.to_owned(), us.run.clone())].into()),
        ..ObjectMeta::default()
    };
    taken(Lease { metadata, spec: None }, us, wall)
}

/// The Lease with us as its holder from now on.
pub(super) fn taken(mut lease: Lease, us: &Identity, wall: Timestamp) -> Lease {
    let before = lease.spec.take().unwrap_or_default();
    // As in client-go, the first holder is no transition.
    let transitions = before.lease_transitions.map_or(0, |n| n.saturating_add(1));
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(us.text()),
        lease_duration_seconds: Some(DURATION.as_secs() as i32),
        acquire_time: Some(micro(wall)),
        renew_time: Some(micro(wall)),
        lease_transitions: Some(transitions),
        ..before
    });
    lease
}

/// The Lease, renewed.
pub(super) fn renewed(mut lease: Lease, wall: Timestamp) -> Lease {
    lease.spec.get_or_insert_default().renew_time = Some(micro(wall));
    lease
}

/// The Lease without a holder. The short time is client-go's: nobody has to wait for it.
pub(super) fn cleared(mut lease: Lease, wall: Timestamp) -> Lease {
    let spec = lease.spec.get_or_insert_default();
    (spec.holder_identity, spec.lease_duration_seconds) = (Some(String::new()), Some(1));
    (spec.acquire_time, spec.renew_time) = (None, Some(micro(wall)));
    lease
}

/// Whether a runner has made this Lease.
pub(super) fn made_by_a_runner(lease: &Lease) -> bool {
    lease.metadata.annotations.as_ref().is_some_and(|a| a.contains_key(MADE_BY))
}

/// For how long it is its holder's. A time that makes no sense is ours.
pub(super) fn time_of(spec: &LeaseSpec) -> Duration {
    let seconds = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0);
    seconds.map_or(DURATION, Duration::from_secs)
}

/// The holder as somebody in a queue.
pub(super) fn queue(spec: &LeaseSpec, wall: Timestamp) -> Queue {
    let holder = one_line(spec.holder_identity.as_deref().unwrap_or_default(), SHOWN);
    // Whoever else takes such a Lease may name itself otherwise.
    let (node, run) = holder.rsplit_once('_').unwrap_or((&holder, &holder));
    let since = spec.acquire_time.as_ref().map_or(wall, |time| ours(time.0));
    let age = wall.duration_since(since).max(SignedDuration::ZERO).unsigned_abs();
    Queue { run: run.to_owned(), node: node.to_owned(), age, before: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us() -> Identity {
        Identity { run: "run-2".into(), node: "cp_2".into() }
    }

    fn them() -> Identity {
        Identity { run: "run-1".into(), node: "cp-1".into() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_lease_is_taken_over_only_when_it_was_seen_unchanged_for_its_time() {
        let mut observer = Observer::default();
        let start = Instant::now();
        // Its clock is a day behind: that must not matter.
        let mut lease = made("kube-system", "l", &them(), at(-86_400));
        let mut decide = |lease: &Lease, s: u64| observer.decide(lease, &us(), start + Duration::from_secs(s), at(s as i64));
        assert!(matches!(decide(&lease, 0), Decision::Held(q) if q.node == "cp-1" && q.run == "run-1"));
        assert!(matches!(decide(&lease, 14), Decision::Held(_)));
        // It is renewed: the time starts anew.
        lease = renewed(lease, at(-86_385));
        assert!(matches!(decide(&lease, 15), Decision::Held(_)));
        assert!(matches!(decide(&lease, 29), Decision::Held(_)));
        assert!(matches!(decide(&lease, 30), Decision::Expired(q) if q.run == "run-1"));
        assert_eq!(decide(&taken(lease.clone(), &us(), at(31)), 31), Decision::Ours);
        assert_eq!(decide(&cleared(lease, at(32)), 32), Decision::Free);
    }

    #[test]
    fn the_holders_own_time_counts_and_nonsense_does_not() {
        let mut lease = made("kube-system", "l", &them(), at(0));
        let mut decided = |seconds: Option<i32>, waited: u64| {
            lease.spec.as_mut().unwrap().lease_duration_seconds = seconds;
            let (mut observer, start) = (Observer::default(), Instant::now());
            observer.decide(&lease, &us(), start, at(0));
            matches!(observer.decide(&lease, &us(), start + Duration::from_secs(waited), at(0)), Decision::Expired(_))
        };
        assert!(decided(Some(3), 3));
        assert!(!decided(Some(60), 59));
        for nonsense in [None, Some(0), Some(-5), Some(i32::MIN)] {
            assert!(!decided(nonsense, 14) && decided(nonsense, 15), "{nonsense:?}");
        }
    }

    #[test]
    fn what_is_written_is_what_other_controllers_read() {
        let lease = taken(made("kube-system", "l", &them(), at(0)), &us(), at(1));
        insta::assert_snapshot!(serde_json::to_string(&lease.spec).unwrap(), @r#"{"acquireTime":"2027-01-15T08:00:01.000000Z","holderIdentity":"cp_2_run-2","leaseDurationSeconds":15,"leaseTransitions":1,"renewTime":"2027-01-15T08:00:01.000000Z"}"#);
        assert!(made_by_a_runner(&lease));
        assert!(!made_by_a_runner(&Lease::default()));
        let odd = LeaseSpec { holder_identity: Some("some\u{1b}[2Jbody".into()), ..LeaseSpec::default() };
        assert_eq!(queue(&odd, at(0)).node, "somebody");
    }
}
