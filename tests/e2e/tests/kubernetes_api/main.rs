//! The stand-in for the API server, asked through the `kube` crate what the runner and its tests rely on, word by word.
//!
//! `RUNNER_TEST_KUBECONFIG=<file>` names a real cluster: then the same is asked there, and what differs fails. For that, the
//! kubeconfig's user has to be an administrator (the tests make a namespace, a Node and a Role, and impersonate somebody). Only what
//! they made themselves is changed and removed: namespaces named `runner-suite-…` and Nodes of such names.

mod events;
mod leases;
mod lists;
mod mischief;
mod objects;
mod rights;
mod server;
mod watches;
mod writes;
