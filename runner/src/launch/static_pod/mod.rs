//! etcd as a static pod: a manifest in the folder that the kubelet watches.

pub use manifest::listen_client_urls;

mod image;
mod manifest;
mod yaml;
