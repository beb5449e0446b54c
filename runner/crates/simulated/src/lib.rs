//! A simulated etcd cluster, runs of the pipeline over it, and a judge of what they leave; for tests, no part of the product.
//!
//! [`simulation`] is the cluster with its machines and what can go wrong with them, [`world`] a run on one of the machines and
//! the judge. What befalls a run: faults in [`pairs`], faults by chance ([`schedule`]), others who do as they please ([`rude`]).

pub use simulation::*;

pub mod pairs;
pub mod rude;
pub mod schedule;
pub mod simulation;
pub mod tally;
pub mod world;
