//! kubeadm on a control-plane node: its phases around etcd, with runner's join in the place of its etcd phase.
//!
//! Nothing is guessed: the program is asked for its version, and a version whose phases are not known here is refused. kubeadm is never
//! asked for a single phase (`kubeadm join phase …`): since 1.33 one of those does nothing without a word (kubernetes/kubeadm#3262).
//! It is asked for a whole join, with the phases named that it is to leave out.

pub use done::{Done, Folder};
pub use drive::{DO_NOT_RESET, Driver, Quit};
pub use phases::{Known, NEWEST, OLDEST};
pub use plan::{Line, Makings, Part, Plan, shell};
pub use program::{Program, Version};

mod done;
mod drive;
mod phases;
mod plan;
mod program;
#[cfg(test)]
mod tests;
