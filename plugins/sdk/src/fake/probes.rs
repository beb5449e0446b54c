//! Measurements that a test makes up: one function for each of [`crate::probes`], with what it is to answer for that target.
//!
//! Several answers for the same target are given one after another, the last one again and again. Any other target fails with
//! [`FailureKind::Denied`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::thread::LocalKey;

use super::script::Script;
use crate::probes::{Certificate, ClockOffset, Latency, Space};
use crate::{Failure, FailureKind};

type Scripts<T> = RefCell<BTreeMap<String, Script<T>>>;
type Answer<T> = Result<T, Failure>;

macro_rules! probes {
    ($($(#[$doc:meta])* $name:ident($target:ident $(, $times:ident)?) -> $answer:ty, kept in $kept:ident;)+) => {
        thread_local! {
            $(static $kept: Scripts<$answer> = const { RefCell::new(BTreeMap::new()) };)+
        }

        $($(#[$doc])*
        pub fn $name($target: &str, answer: Answer<$answer>) {
            add(&$kept, $target, answer);
        })+

        /// The plugin's side.
        pub(crate) mod source {
            use super::*;

            $(pub(crate) fn $name($target: &str $(, $times: u32)?) -> Answer<$answer> {
                $(let _ = $times;)?
                next(&$kept, concat!("fake::probes::", stringify!($name)), $target)
            })+

            pub(crate) fn memory() -> Answer<Space> {
                next(&MEMORY, "fake::probes::memory", "")
            }
        }
    };
}

probes! {
    /// What timing writes in this directory gives.
    fsync(directory, writes) -> Latency, kept in FSYNC;
    /// The space of the file system that holds this path.
    disk_space(path) -> Space, kept in DISK_SPACE;
    /// What connecting to this URL takes.
    connect(url, times) -> Latency, kept in CONNECT;
    /// The largest packet on the way to this URL, in bytes.
    path_mtu(url) -> u32, kept in PATH_MTU;
    /// The difference of this node's clock and that of this URL.
    clock_offset_of(url) -> ClockOffset, kept in CLOCK_OFFSET;
    /// The certificates in this file.
    certificates(path) -> Vec<Certificate>, kept in CERTIFICATES;
    /// The certificates that this URL shows.
    certificates_of(url) -> Vec<Certificate>, kept in CERTIFICATES_OF;
}

thread_local! {
    static MEMORY: Scripts<Space> = const { RefCell::new(BTreeMap::new()) };
}

/// This node's main memory.
pub fn memory(answer: Answer<Space>) {
    add(&MEMORY, "", answer);
}

fn add<T: Clone>(kept: &'static LocalKey<Scripts<T>>, target: &str, answer: Answer<T>) {
    kept.with_borrow_mut(|all| all.entry(target.to_owned()).or_default().add(0, answer));
}

fn next<T: Clone>(kept: &'static LocalKey<Scripts<T>>, function: &str, target: &str) -> Answer<T> {
    let next = kept.with_borrow_mut(|all| all.get_mut(target).and_then(Script::next));
    let denied = || Failure::new(FailureKind::Denied, format!("no answer was made up for {target:?}: see {function}"));
    next.map_or_else(|| Err(denied()), |(_, answer)| answer)
}

#[cfg(test)]
mod tests {
    use crate::{FailureKind, fake, probes};

    #[test]
    fn each_target_has_its_own_answers() {
        fake::probes::path_mtu("https://10.0.0.1:2380", Ok(1450));
        fake::probes::memory(Ok(probes::Space { total: 8, available: 3 }));
        assert_eq!(probes::path_mtu("https://10.0.0.1:2380"), Ok(1450));
        assert_eq!(probes::memory().unwrap().available, 3);
        let other = probes::path_mtu("https://10.0.0.2:2380").unwrap_err();
        assert_eq!(other.kind, FailureKind::Denied);
        assert!(other.message.contains("fake::probes::path_mtu"), "{other}");
    }
}
