//! The whole of it on several hosts: static pods that a kubelet runs, discovery through the Kubernetes API, the Lease, Events and
//! progress, with no more rights than the manifest grants, over IPv4, IPv6 and both; and kubeadm's part before and after.

mod faults;
mod growth;
mod kubeadm;
mod outages;
mod reset;
mod site;
