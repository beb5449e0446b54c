//! Kubernetes beside the join.

mod joins;
mod side;
