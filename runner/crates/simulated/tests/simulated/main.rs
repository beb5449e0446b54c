//! The whole pipeline over the simulated cluster: whatever fails, whenever it fails, a run ends promoted or undone.

mod exhaustive;
mod joins;
mod late_adds;
mod ownership;
mod pairs;
mod policies;
mod proof;
mod queue;
mod random;
mod rude;
mod silent;
mod ways_on;
