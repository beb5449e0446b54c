//! `facts`: the cluster as it was observed, the newcomer as it is planned, the samples as they were taken.
//!
//! Every handle shares what it is about, so that they may be dropped in any order; a guest that drops none keeps them until its
//! call is over.

#![allow(unreachable_pub, reason = "the generated bindings re-export the handles, so they have to be `pub`")]

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::cluster::{AlarmKind, MemberId, MemberStatus, MemberView, View};
use crate::pipeline::{Newcomer, Sample};
use crate::plugins::bindings::runner::plugin::facts::{Host, HostCluster, HostMember, HostNewcomer, HostSamples};
use crate::plugins::state::{Ctx, millis};

/// A guest's handle of the cluster.
pub struct ClusterHandle(pub(crate) Arc<View>);

/// A guest's handle of one member.
pub struct MemberHandle {
    view: Arc<View>,
    index: usize,
}

/// A guest's handle of the newcomer.
pub struct NewcomerHandle(pub(crate) Arc<Newcomer>);

/// A guest's handle of a window of samples.
pub struct SamplesHandle(pub(crate) Arc<[Sample]>);

type Result<T> = wasmtime::Result<T>;

impl MemberHandle {
    /// The member of this id; none where the view has none.
    pub(crate) fn find(view: &Arc<View>, id: MemberId) -> Option<Self> {
        let index = view.members.iter().position(|m| m.member.id == id)?;
        Some(Self { view: view.clone(), index })
    }

    fn get(&self) -> &MemberView {
        &self.view.members[self.index]
    }

    /// What it reports of itself, and the alarms raised for it.
    fn problems(&self) -> Vec<String> {
        let member = self.get();
        let mut problems = member.status.as_ref().map(|s| s.errors.clone()).unwrap_or_default();
        for alarm in self.view.alarms.iter().filter(|a| a.member == member.member.id) {
            let name = match alarm.kind {
                AlarmKind::Nospace => "NOSPACE",
                AlarmKind::Corrupt => "CORRUPT",
                AlarmKind::Unknown => "UNKNOWN",
            };
            // A member with an alarm reports it itself too, as `memberID:… alarm:NOSPACE`.
            if !problems.iter().any(|p| p.contains(name)) {
                problems.push(name.to_owned());
            }
        }
        problems
    }
}

impl Ctx {
    /// One fact of a member.
    fn of_member<T>(&mut self, handle: &Resource<MemberHandle>, fact: impl FnOnce(&MemberHandle) -> T) -> Result<T> {
        self.host_call()?;
        Ok(fact(self.table.get(handle)?))
    }

    /// One number from a member's own status; none where it did not answer.
    fn of_status<T>(&mut self, handle: &Resource<MemberHandle>, fact: impl FnOnce(&MemberStatus) -> T) -> Result<Option<T>> {
        self.of_member(handle, |m| m.get().status.as_ref().ok().map(fact))
    }

    /// One fact of sample `i`. Ends the call where there is no such sample, as the contract says.
    fn of_sample<T>(&mut self, handle: &Resource<SamplesHandle>, i: u32, fact: impl FnOnce(&Sample) -> T) -> Result<T> {
        self.host_call()?;
        let SamplesHandle(samples) = self.table.get(handle)?;
        match samples.get(i as usize) {
            Some(sample) => Ok(fact(sample)),
            None => Err(wasmtime::Error::msg(format!("asked for sample {i} of {}", samples.len()))),
        }
    }

    fn member_handle(&mut self, view: Arc<View>, index: usize) -> Result<Resource<MemberHandle>> {
        Ok(self.table.push(MemberHandle { view, index })?)
    }
}

impl Host for Ctx {}

impl HostMember for Ctx {
    fn id(&mut self, this: Resource<MemberHandle>) -> Result<String> {
        let id = self.of_member(&this, |m| m.get().member.id.to_string())?;
        self.text(id)
    }

    fn name(&mut self, this: Resource<MemberHandle>) -> Result<String> {
        let name = self.of_member(&this, |m| m.get().member.name.clone())?;
        self.text(name)
    }

    fn role(&mut self, this: Resource<MemberHandle>) -> Result<String> {
        let learner = self.of_member(&this, |m| m.get().member.learner)?;
        self.text(if learner { "learner" } else { "voter" }.to_owned())
    }

    fn started(&mut self, this: Resource<MemberHandle>) -> Result<bool> {
        self.of_member(&this, |m| m.get().member.started())
    }

    fn leader(&mut self, this: Resource<MemberHandle>) -> Result<bool> {
        self.of_member(&this, |m| m.view.leader == Some(m.get().member.id))
    }

    fn reachable(&mut self, this: Resource<MemberHandle>) -> Result<bool> {
        self.of_member(&this, |m| m.get().status.is_ok())
    }

    fn peer_urls(&mut self, this: Resource<MemberHandle>) -> Result<Vec<String>> {
        let urls = self.of_member(&this, |m| m.get().member.peer_urls.clone())?;
        self.texts(urls)
    }

    fn client_urls(&mut self, this: Resource<MemberHandle>) -> Result<Vec<String>> {
        let urls = self.of_member(&this, |m| m.get().member.client_urls.clone())?;
        self.texts(urls)
    }

    fn version(&mut self, this: Resource<MemberHandle>) -> Result<Option<String>> {
        let version = self.of_status(&this, |s| s.version.clone())?;
        self.optional_text(version)
    }

    fn db_size(&mut self, this: Resource<MemberHandle>) -> Result<Option<u64>> {
        self.of_status(&this, |s| s.db_size)
    }

    fn db_size_in_use(&mut self, this: Resource<MemberHandle>) -> Result<Option<u64>> {
        self.of_status(&this, |s| s.db_size_in_use)
    }

    fn raft_index(&mut self, this: Resource<MemberHandle>) -> Result<Option<u64>> {
        self.of_status(&this, |s| s.raft_index)
    }

    fn raft_applied_index(&mut self, this: Resource<MemberHandle>) -> Result<Option<u64>> {
        self.of_status(&this, |s| s.raft_applied_index)
    }

    fn raft_term(&mut self, this: Resource<MemberHandle>) -> Result<Option<u64>> {
        self.of_status(&this, |s| s.raft_term)
    }

    fn round_trip_us(&mut self, this: Resource<MemberHandle>) -> Result<Option<u32>> {
        self.of_status(&this, |s| u32::try_from(s.round_trip.as_micros()).unwrap_or(u32::MAX))
    }

    fn problems(&mut self, this: Resource<MemberHandle>) -> Result<Vec<String>> {
        let problems = self.of_member(&this, MemberHandle::problems)?;
        self.texts(problems)
    }

    fn label(&mut self, _: Resource<MemberHandle>, key: String) -> Result<Option<String>> {
        self.no_label(&key)
    }

    fn drop(&mut self, this: Resource<MemberHandle>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl HostCluster for Ctx {
    fn id(&mut self, this: Resource<ClusterHandle>) -> Result<String> {
        self.host_call()?;
        let id = format!("{:x}", self.table.get(&this)?.0.cluster_id);
        self.text(id)
    }

    fn members(&mut self, this: Resource<ClusterHandle>) -> Result<Vec<Resource<MemberHandle>>> {
        self.host_call()?;
        let view = self.table.get(&this)?.0.clone();
        (0..view.members.len()).map(|i| self.member_handle(view.clone(), i)).collect()
    }

    fn leader(&mut self, this: Resource<ClusterHandle>) -> Result<Option<Resource<MemberHandle>>> {
        self.host_call()?;
        let view = self.table.get(&this)?.0.clone();
        match view.members.iter().position(|m| Some(m.member.id) == view.leader) {
            Some(index) => self.member_handle(view, index).map(Some),
            None => Ok(None),
        }
    }

    fn quorum(&mut self, this: Resource<ClusterHandle>) -> Result<u32> {
        self.host_call()?;
        Ok(self.table.get(&this)?.0.quorum() as u32)
    }

    fn fault_tolerance(&mut self, this: Resource<ClusterHandle>) -> Result<u32> {
        self.host_call()?;
        Ok(self.table.get(&this)?.0.fault_tolerance() as u32)
    }

    fn observed_at_ms(&mut self, this: Resource<ClusterHandle>) -> Result<u64> {
        self.host_call()?;
        Ok(millis(self.table.get(&this)?.0.observed_at))
    }

    fn label(&mut self, _: Resource<ClusterHandle>, key: String) -> Result<Option<String>> {
        self.no_label(&key)
    }

    fn drop(&mut self, this: Resource<ClusterHandle>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl HostNewcomer for Ctx {
    fn name(&mut self, this: Resource<NewcomerHandle>) -> Result<String> {
        self.host_call()?;
        let name = self.table.get(&this)?.0.name.clone();
        self.text(name)
    }

    fn peer_urls(&mut self, this: Resource<NewcomerHandle>) -> Result<Vec<String>> {
        self.host_call()?;
        let urls = self.table.get(&this)?.0.peer_urls.clone();
        self.texts(urls)
    }

    fn client_urls(&mut self, this: Resource<NewcomerHandle>) -> Result<Vec<String>> {
        self.host_call()?;
        let urls = self.table.get(&this)?.0.client_urls.clone();
        self.texts(urls)
    }

    fn version(&mut self, this: Resource<NewcomerHandle>) -> Result<Option<String>> {
        self.host_call()?;
        let version = self.table.get(&this)?.0.version.clone();
        self.optional_text(version)
    }

    fn label(&mut self, _: Resource<NewcomerHandle>, key: String) -> Result<Option<String>> {
        self.no_label(&key)
    }

    fn drop(&mut self, this: Resource<NewcomerHandle>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl HostSamples for Ctx {
    fn len(&mut self, this: Resource<SamplesHandle>) -> Result<u32> {
        self.host_call()?;
        Ok(self.table.get(&this)?.0.len() as u32)
    }

    fn at_ms(&mut self, this: Resource<SamplesHandle>, i: u32) -> Result<u64> {
        self.of_sample(&this, i, |s| millis(s.at))
    }

    fn leader_index(&mut self, this: Resource<SamplesHandle>, i: u32) -> Result<u64> {
        self.of_sample(&this, i, |s| s.leader_index)
    }

    fn applied_index(&mut self, this: Resource<SamplesHandle>, i: u32) -> Result<u64> {
        self.of_sample(&this, i, |s| s.applied_index)
    }

    fn lag(&mut self, this: Resource<SamplesHandle>, i: u32) -> Result<u64> {
        self.of_sample(&this, i, Sample::lag)
    }

    fn leader(&mut self, this: Resource<SamplesHandle>, i: u32) -> Result<Option<String>> {
        let leader = self.of_sample(&this, i, |s| s.leader.map(|id| id.to_string()))?;
        self.optional_text(leader)
    }

    fn term(&mut self, this: Resource<SamplesHandle>, i: u32) -> Result<u64> {
        self.of_sample(&this, i, |s| s.term)
    }

    fn reachable(&mut self, this: Resource<SamplesHandle>, i: u32) -> Result<bool> {
        self.of_sample(&this, i, |s| s.reachable)
    }

    fn drop(&mut self, this: Resource<SamplesHandle>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
