//! Keys and statuses that a test makes up.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::etcd::{Entry, MemberStatus};
use crate::{Failure, FailureKind};

thread_local! {
    static KEYS: RefCell<BTreeMap<String, Entry>> = const { RefCell::new(BTreeMap::new()) };
    static REVISION: Cell<u64> = const { Cell::new(1) };
    static STATUSES: RefCell<BTreeMap<String, MemberStatus>> = const { RefCell::new(BTreeMap::new()) };
    static FAILURE: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

/// Puts a key in this thread. Everything that a test asks for counts as granted.
pub fn put(key: &str, value: impl Into<Vec<u8>>) {
    REVISION.set(REVISION.get() + 1);
    let entry = Entry { key: key.to_owned(), value: value.into(), mod_revision: REVISION.get() };
    KEYS.with_borrow_mut(|keys| keys.insert(key.to_owned(), entry));
}

/// What the member of this id says of itself in this thread; of any other there is no such member.
pub fn set_status(member: &str, status: MemberStatus) {
    STATUSES.with_borrow_mut(|all| all.insert(member.to_owned(), status));
}

/// From now on every read fails with this in this thread; none ends that.
pub fn fail(failure: Option<Failure>) {
    FAILURE.set(failure);
}

/// The plugin's side.
pub(crate) mod source {
    use super::*;

    pub(crate) fn get(key: &str) -> Result<Option<Entry>, Failure> {
        trouble()?;
        Ok(KEYS.with_borrow(|keys| keys.get(key).cloned()))
    }

    pub(crate) fn list(prefix: &str, limit: u32) -> Result<Vec<Entry>, Failure> {
        trouble()?;
        if !(1..=1000).contains(&limit) {
            return Err(Failure::new(FailureKind::Invalid, "a list takes a limit of 1 to 1000"));
        }
        let wanted = |(key, _): &(&String, &Entry)| key.starts_with(prefix);
        Ok(KEYS.with_borrow(|keys| keys.iter().filter(wanted).map(|(_, e)| e.clone()).take(limit as usize).collect()))
    }

    pub(crate) fn status(member: &str) -> Result<MemberStatus, Failure> {
        trouble()?;
        let none = || Failure::new(FailureKind::NotFound, format!("there is no member {member}"));
        STATUSES.with_borrow(|all| all.get(member).cloned()).ok_or_else(none)
    }

    fn trouble() -> Result<(), Failure> {
        FAILURE.with_borrow(|failure| failure.clone().map_or(Ok(()), Err))
    }
}

#[cfg(test)]
mod tests {
    use crate::etcd::{self, MemberStatus};
    use crate::{FailureKind, fake};

    #[test]
    fn keys_are_listed_in_order() {
        for key in ["/a/2", "/a/1", "/b"] {
            fake::etcd::put(key, key);
        }
        let keys: Vec<_> = etcd::list("/a/", 10).unwrap().into_iter().map(|e| (e.text(), e.mod_revision)).collect();
        assert_eq!(keys, [("/a/1".to_owned(), 3), ("/a/2".to_owned(), 2)]);
        assert_eq!(etcd::list("/", 1).unwrap().len(), 1);
        assert_eq!(etcd::list("/", 0).unwrap_err().kind, FailureKind::Invalid);
    }

    #[test]
    fn a_status_belongs_to_a_member() {
        fake::etcd::set_status("8e9e", MemberStatus { db_size: 9, ..MemberStatus::default() });
        assert_eq!(etcd::status("8e9e").unwrap().db_size, 9);
        assert_eq!(etcd::status("8e9f").unwrap_err().kind, FailureKind::NotFound);
    }
}
