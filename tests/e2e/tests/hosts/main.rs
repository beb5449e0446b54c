//! Hosts of their own: networks, static pods, systemd, distributions' profiles.

mod network;
mod profiles;
mod static_pod;
mod static_pod_hosts;
mod systemd;
