//! What the end-to-end tests share: real etcd clusters, guests, and a tidy end.
//!
//! Nothing here outlives the test process, however it ends: see [`Scratch`]. A tool that is missing fails the test with the
//! command that fixes it. Waiting is polling near by with a bound ([`eventually`]), never a fixed sleep.

pub mod facts;

pub use binaries::{
    EtcdBinary, cargo, compiled_cache, compiled_plugins, etcd_versions, every_minor, guest, newest, of_minor, repository,
    runner_bin, target_dir,
};
pub use cluster::{ClusterOptions, RealCluster};
pub use control_plane::{ControlPlane, Parts, RealNode};
pub use hosts::{Family, Host, Network, in_a_network_of_its_own};
pub use kube_api::{Call, KubeApi, Mischief};
pub use kubeadm::Kubeadm;
pub use kubelet::{Kubelet, KubeletOptions, OnPod};
pub use load::{Load, LoadReport};
pub use member::{RealMember, log_tail};
pub use node::Node;
pub use own_process::in_a_process_of_its_own;
pub use ports::free_port;
pub use registry::Registry;
pub use scratch::Scratch;
pub use spawn::{Finished, Spawned, spawn_runner, trust_no_ca};
pub use stage::{SOON, Stage, assert_serves, processes_of, running_on};
pub use systemd::Systemd;
pub use tls::{ClientFiles, Tls, TlsFiles, write_ca, write_member, write_member_at, write_node};
pub use wait::eventually;

mod binaries;
mod cluster;
mod control_plane;
mod hosts;
mod kube_api;
mod kubeadm;
mod kubelet;
mod load;
mod member;
mod node;
mod own_process;
mod pod;
mod ports;
mod registry;
mod scratch;
mod spawn;
mod stage;
mod systemd;
mod tls;
mod wait;
