//! etcd as a static pod: a manifest in the folder that the kubelet watches.

pub use launcher::StaticPodLauncher;
pub use manifest::listen_client_urls;

mod folder;
mod image;
mod kubelet;
mod launcher;
mod letting_go;
mod manifest;
mod pod_log;
mod probes;
mod yaml;
