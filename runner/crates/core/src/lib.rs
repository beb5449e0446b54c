//! The join itself: the [`pipeline`], what an etcd [`cluster`] is, and the [events](event) that a run tells.
//!
//! It stands over traits: [`Cluster`](cluster::Cluster), [`Launcher`](pipeline::Launcher), [`JoinLock`](pipeline::JoinLock),
//! [`Policy`](pipeline::Policy), [`Platform`](pipeline::Platform) and [`EventSink`](event::EventSink). It does not know etcd's
//! protocol, WebAssembly, Kubernetes, or a command line: the crate `runner` brings those, `runner-simulated` a world in which
//! nothing is real but the pipeline.

pub mod clock;
pub mod cluster;
pub mod event;
pub mod human;
pub mod owned;
pub mod pipeline;
mod problem;
pub mod terms;
pub mod text;

pub use problem::Problem;
