//! The oracle: what etcd will answer to a change of the membership, why, what mends it, and which losses the cluster survives
//! before and after.
//!
//! Pure functions of a [`Situation`], which comes from an observation ([`Situation::of`]) or is put together by hand to ask "what
//! if". The rules are etcd's own, by version (`server/etcdserver/server.go`, `api/membership/cluster.go`), and the same code
//! judges the simulated cluster; `tests/chaos/tests/oracle.rs` holds it against real ones. It knows nothing of etcd's users and
//! roles, of requests that are lost on the way, and of what happens after the moment that it is asked about.

pub use forecast::{Answer, Change, Forecast};
pub use situation::{Link, NEWCOMER, Peer, Situation};
pub use tolerance::Tolerance;

pub mod judge;

mod forecast;
mod rules;
mod situation;
mod tolerance;
mod words;
