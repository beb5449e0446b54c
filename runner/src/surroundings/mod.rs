//! Who answers what plugins ask of the world beyond the facts.
//!
//! Every question is an [`Ask`], every answer a [`Reply`]. So a run can be recorded and replayed, a
//! plugin can be tested against a scenario, and the grants are looked at in one place, whoever answers.

use async_trait::async_trait;

pub use live::{Live, Resolve, Site, SystemResolver};
pub use nothing::Nothing;
pub use room::{room, within};

use crate::grants::Grants;
pub use crate::grants::{
    Ask, Certificate, ClockOffset, Entry, Header, HttpRequest, HttpResponse, Latency, MemberStatus, Refused, Reply, Space,
};

mod live;
mod nothing;
mod room;

/// Who answers what a plugin asks: the real world, a recording, a scenario.
#[async_trait]
pub trait Surroundings: Send + Sync {
    /// Answers a question that the grants permit. Whoever learns of a further target on the way (the address of a name, where a
    /// redirect leads) puts it before the grants again.
    ///
    /// The caller bounds the time; dropping the future ends whatever it began.
    async fn answer(&self, plugin: &str, grants: &Grants, ask: &Ask) -> Result<Reply, Refused>;

    /// Gets ready for a plugin with these grants, while nothing is changed yet, and returns the secrets that it may come to know,
    /// by name: so that they can be blotted out of whatever it says. Who wraps other surroundings passes this on.
    ///
    /// # Errors
    ///
    /// What was granted and cannot be given: a secret that is not there.
    async fn prepare(&self, plugin: &str, grants: &Grants) -> Result<Vec<(String, String)>, Refused> {
        let _ = (plugin, grants);
        Ok(Vec::new())
    }
}
