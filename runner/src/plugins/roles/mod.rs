//! The roles of the contract: which ones a component has, and one file per role with its call.

use std::fmt;

use serde::{Deserialize, Serialize};
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre};

use super::bindings::exports::runner::plugin::{configuration, health_check, notifier, promotion};
use super::state::Ctx;
use super::surface::Surface;

pub(super) mod configuration_role;
pub(super) mod health_check_role;
pub(super) mod notifier_role;
pub(super) mod promotion_role;

/// A question that a plugin may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Is the cluster healthy enough for this node to join?
    HealthCheck,
    /// Has the learner caught up enough to become a voter?
    Promotion,
    /// Who is told what happened?
    Notifier,
}

/// Where a component exports what: looked up once, used by every call.
#[derive(Clone)]
pub(super) struct Exports {
    pub(super) configuration: Option<configuration::GuestIndices>,
    pub(super) health_check: Option<health_check::GuestIndices>,
    pub(super) promotion: Option<promotion::GuestIndices>,
    pub(super) notifier: Option<notifier::GuestIndices>,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::HealthCheck, Self::Promotion, Self::Notifier];

    /// Its name: that of its interface in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::HealthCheck => "health-check",
            Self::Promotion => "promotion",
            Self::Notifier => "notifier",
        }
    }

    /// The question, as a person reads it.
    pub fn question(self) -> &'static str {
        match self {
            Self::HealthCheck => "is the cluster healthy enough for this node to join?",
            Self::Promotion => "has the learner caught up enough to become a voter?",
            Self::Notifier => "who is told what happened?",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Exports {
    /// Looks up what the component claims to export. Fails where an interface lacks a function of ours.
    pub(super) fn find(pre: &InstancePre<Ctx>, surface: &Surface) -> wasmtime::Result<Self> {
        let claims = |role| surface.roles.contains(&role);
        Ok(Self {
            configuration: surface.configuration.then(|| configuration::GuestIndices::new(pre)).transpose()?,
            health_check: claims(Role::HealthCheck).then(|| health_check::GuestIndices::new(pre)).transpose()?,
            promotion: claims(Role::Promotion).then(|| promotion::GuestIndices::new(pre)).transpose()?,
            notifier: claims(Role::Notifier).then(|| notifier::GuestIndices::new(pre)).transpose()?,
        })
    }

    /// Loads every export once: the types of a role's functions are compared only then.
    pub(super) fn check_types(&self, store: &mut Store<Ctx>, instance: &Instance) -> wasmtime::Result<()> {
        if let Some(indices) = &self.configuration {
            indices.load(&mut *store, instance)?;
        }
        if let Some(indices) = &self.health_check {
            indices.load(&mut *store, instance)?;
        }
        if let Some(indices) = &self.promotion {
            indices.load(&mut *store, instance)?;
        }
        if let Some(indices) = &self.notifier {
            indices.load(&mut *store, instance)?;
        }
        Ok(())
    }
}
