//! Joins over real etcd: every way in, every way out, and what etcd really answers.

mod copy_contents;
mod demo;
mod etcd_adapter;
mod etcd_lock;
mod external;
mod harness;
mod joins;
mod kill9;
mod launch;
mod mixed_versions;
mod ownership;
mod plan;
mod proof;
mod refusals;
mod silent_learner;
mod together;
mod ways_on;
