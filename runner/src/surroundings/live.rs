//! The real world.

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

use super::{Ask, Refused, Reply, Surroundings};
use crate::grants::Grants;

/// Answers from this node and its network.
#[derive(Clone, Default)]
pub struct Live {}

#[async_trait]
impl Surroundings for Live {
    async fn answer(&self, _plugin: &str, _grants: &Grants, ask: &Ask) -> Result<Reply, Refused> {
        match ask {
            Ask::Random { len } => {
                let mut bytes = vec![0; *len as usize];
                StdRng::from_os_rng().fill_bytes(&mut bytes);
                Ok(Reply::Bytes(bytes))
            }
            _ => Err(Refused::new("unavailable", "this runner cannot answer that here")),
        }
    }
}
