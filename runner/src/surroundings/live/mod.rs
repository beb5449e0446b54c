//! The real world: one file for each capability.

use async_trait::async_trait;

use super::{Ask, Refused, Reply, Surroundings};
use crate::grants::Grants;

pub use site::Site;

mod random;
mod site;

/// Answers from this node and its network.
#[derive(Clone, Default)]
pub struct Live {
    site: Site,
}

impl Live {
    /// Answers about this site.
    pub fn new(site: Site) -> Self {
        Self { site }
    }
}

#[async_trait]
impl Surroundings for Live {
    async fn answer(&self, _plugin: &str, _grants: &Grants, ask: &Ask) -> Result<Reply, Refused> {
        match ask {
            Ask::Random { len } => Ok(random::bytes(*len)),
            _ => {
                let _ = &self.site;
                Err(Refused::new("unavailable", "this runner cannot answer that here"))
            }
        }
    }
}
