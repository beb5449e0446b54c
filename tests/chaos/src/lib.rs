//! Whatever fails, whenever it fails: the cluster keeps its quorum, and a run ends promoted or undone.
//!
//! Four parts, each with a quick set among the tests and an endless one behind `cargo xtask chaos --minutes N`: the pipeline over
//! the simulated cluster ([`simulated`]), the oracle held against real etcd ([`oracle`]), hurt inputs ([`inputs`]), and real etcd and runner on hosts of their own ([`hosts`]).

pub mod hosts;
pub mod inputs;
pub mod oracle;
pub mod simulated;

pub use runner_simulated::tally;
