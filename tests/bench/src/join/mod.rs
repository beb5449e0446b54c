//! Joins in three ways, taken in turns.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use runner_harness::EtcdBinary;
use serde::Serialize;

use site::Site;

pub(crate) mod command;
mod floor;
mod kubeadm;
pub(crate) mod site;

/// Who joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contender {
    Floor,
    Kubeadm,
    Runner,
    RunnerCold,
}

/// One join. Times in milliseconds.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measured {
    /// From the beginning of the add until the member is a voter.
    pub(crate) voter: f64,
    /// From the beginning of the add until a linearizable read through the new member has its answer.
    pub(crate) read: f64,
    /// From the start of the command until its end, where there is a command.
    pub(crate) command: Option<f64>,
    /// From the start of the command until such a read, asked for after its end, has its answer.
    pub(crate) command_and_read: Option<f64>,
    /// Of each step, by its own account.
    pub(crate) steps: BTreeMap<String, f64>,
    /// The most resident memory that the command had, in bytes.
    pub(crate) peak_resident: Option<u64>,
}

/// What joins are measured with.
pub(crate) struct Bench {
    pub(crate) runner: PathBuf,
    pub(crate) plugins: Vec<PathBuf>,
    /// A folder for compiled plugins that stays for the whole measurement.
    pub(crate) warm_cache: PathBuf,
    pub(crate) megabytes: usize,
}

impl Contender {
    /// For tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "bare floor",
            Self::Kubeadm => "kubeadm's sequence",
            Self::Runner => "runner join",
            Self::RunnerCold => "runner join, plugins compiled anew",
        }
    }
}

impl Bench {
    /// One join on a cluster of its own.
    pub(crate) async fn join(&self, contender: Contender, binary: &EtcdBinary) -> Result<Measured> {
        let mut site = Site::new(binary, self.megabytes).await?;
        let joined = match contender {
            Contender::Floor => floor::join(&mut site).await,
            Contender::Kubeadm => kubeadm::join(&mut site).await,
            Contender::Runner => command::join(&site, self, &self.warm_cache).await,
            Contender::RunnerCold => command::join(&site, self, &site.cluster.scratch.join("cache")).await,
        };
        joined.with_context(|| format!("{} on etcd {}", contender.name(), binary.version))
    }
}

fn millis(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}
