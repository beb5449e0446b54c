//! `etcd`: reads from etcd itself.

use super::expect_reply;
use crate::plugins::bindings::runner::plugin::etcd::{Entry, Host, MemberStatus};
use crate::plugins::bindings::runner::plugin::failures::Failure;
use crate::plugins::state::Ctx;
use crate::surroundings::{self, Ask};

impl Host for Ctx {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Entry>, Failure>> {
        let size = key.len();
        match expect_reply!(self.ask(Ask::EtcdGet { key }, size).await?, Entry) {
            Ok(found) => Ok(Ok(found.map(|entry| self.entry(entry)).transpose()?)),
            Err(refused) => Ok(Err(refused.into())),
        }
    }

    async fn list_keys(&mut self, prefix: String, limit: u32) -> wasmtime::Result<Result<Vec<Entry>, Failure>> {
        let size = prefix.len();
        match expect_reply!(self.ask(Ask::EtcdList { prefix, limit }, size).await?, Entries) {
            Ok(found) => Ok(Ok(found.into_iter().map(|entry| self.entry(entry)).collect::<Result<_, _>>()?)),
            Err(refused) => Ok(Err(refused.into())),
        }
    }

    async fn status(&mut self, member: String) -> wasmtime::Result<Result<MemberStatus, Failure>> {
        let size = member.len();
        let status = match expect_reply!(self.ask(Ask::EtcdStatus { member }, size).await?, Status) {
            Ok(status) => status,
            Err(refused) => return Ok(Err(refused.into())),
        };
        let problems = self.texts(status.problems)?;
        Ok(Ok(MemberStatus {
            version: self.text(status.version)?,
            db_size: status.db_size,
            db_size_in_use: status.db_size_in_use,
            raft_index: status.raft_index,
            raft_applied_index: status.raft_applied_index,
            raft_term: status.raft_term,
            leader: self.optional_text(status.leader)?,
            learner: status.learner,
            problems,
            round_trip_us: status.round_trip_us,
        }))
    }
}

impl Ctx {
    fn entry(&mut self, entry: surroundings::Entry) -> wasmtime::Result<Entry> {
        let surroundings::Entry { key, value, mod_revision } = entry;
        self.meter.give(key.len() + value.len())?;
        Ok(Entry { key, value, mod_revision })
    }
}
