//! Secrets that a test makes up.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::{Failure, FailureKind};

thread_local! {
    static SECRETS: RefCell<BTreeMap<String, String>> = const { RefCell::new(BTreeMap::new()) };
}

/// From now on there is a secret of this name in this thread. Any other is refused with [`FailureKind::Denied`].
pub fn set(name: &str, text: &str) {
    SECRETS.with_borrow_mut(|all| all.insert(name.to_owned(), text.to_owned()));
}

pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn reveal(&self) -> String {
        self.0.clone()
    }
}

pub(crate) fn get(name: &str) -> Result<Secret, Failure> {
    let denied = || Failure::new(FailureKind::Denied, format!("no secret {name:?} was made up: see fake::secrets::set"));
    SECRETS.with_borrow(|all| all.get(name).cloned().map(Secret)).ok_or_else(denied)
}
