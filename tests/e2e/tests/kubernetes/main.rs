//! Kubernetes beside the join, and the stand-in for its API server.

mod api;
mod joins;
mod side;
