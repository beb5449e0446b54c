//! No world at all.

use async_trait::async_trait;

use super::{Ask, Refused, Reply, Surroundings};
use crate::grants::Grants;

/// Answers nothing: for a component that is only looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

#[async_trait]
impl Surroundings for Nothing {
    async fn answer(&self, _: &str, _: &Grants, _: &Ask) -> Result<Reply, Refused> {
        Err(Refused::new("unavailable", "nothing is asked while a component is only looked at"))
    }
}
