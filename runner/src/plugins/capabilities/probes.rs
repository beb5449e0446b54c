//! `probes`: measurements on this node and of the way to others.

use super::expect_reply;
use crate::plugins::bindings::runner::plugin::failures::Failure;
use crate::plugins::bindings::runner::plugin::probes::{Certificate, ClockOffset, Host, Latency, Space};
use crate::plugins::state::Ctx;
use crate::surroundings::{self, Ask};

type Answer<T> = wasmtime::Result<Result<T, Failure>>;

impl Host for Ctx {
    async fn fsync(&mut self, directory: String, writes: u32) -> Answer<Latency> {
        let size = directory.len();
        self.latency(Ask::Fsync { directory, writes }, size).await
    }

    async fn disk_space(&mut self, path: String) -> Answer<Space> {
        let size = path.len();
        self.space(Ask::DiskSpace { path }, size).await
    }

    async fn memory(&mut self) -> Answer<Space> {
        self.space(Ask::Memory, 0).await
    }

    async fn connect(&mut self, url: String, times: u32) -> Answer<Latency> {
        let size = url.len();
        self.latency(Ask::Connect { url, times }, size).await
    }

    async fn path_mtu(&mut self, url: String) -> Answer<u32> {
        let size = url.len();
        Ok(expect_reply!(self.ask(Ask::PathMtu { url }, size).await?, Mtu).map_err(Failure::from))
    }

    async fn clock_offset_of(&mut self, url: String) -> Answer<ClockOffset> {
        let size = url.len();
        let offset = expect_reply!(self.ask(Ask::ClockOffset { url }, size).await?, ClockOffset);
        let offset = offset.map(|o| ClockOffset { earliest_ms: o.earliest_ms, latest_ms: o.latest_ms });
        Ok(offset.map_err(Failure::from))
    }

    async fn certificates(&mut self, path: String) -> Answer<Vec<Certificate>> {
        let size = path.len();
        self.certificate_list(Ask::Certificates { path }, size).await
    }

    async fn certificates_of(&mut self, url: String) -> Answer<Vec<Certificate>> {
        let size = url.len();
        self.certificate_list(Ask::CertificatesOf { url }, size).await
    }
}

impl Ctx {
    async fn latency(&mut self, ask: Ask, size: usize) -> Answer<Latency> {
        let latency = expect_reply!(self.ask(ask, size).await?, Latency);
        let latency = latency.map(|l: surroundings::Latency| Latency {
            count: l.count,
            min_us: l.min_us,
            median_us: l.median_us,
            p90_us: l.p90_us,
            p99_us: l.p99_us,
            max_us: l.max_us,
        });
        Ok(latency.map_err(Failure::from))
    }

    async fn space(&mut self, ask: Ask, size: usize) -> Answer<Space> {
        let space = expect_reply!(self.ask(ask, size).await?, Space);
        Ok(space.map(|s| Space { total: s.total, available: s.available }).map_err(Failure::from))
    }

    async fn certificate_list(&mut self, ask: Ask, size: usize) -> Answer<Vec<Certificate>> {
        let found = match expect_reply!(self.ask(ask, size).await?, Certificates) {
            Ok(found) => found,
            Err(refused) => return Ok(Err(refused.into())),
        };
        let length = |c: &surroundings::Certificate| {
            c.subject.len() + c.issuer.len() + c.names.iter().map(String::len).sum::<usize>()
        };
        self.meter.give(found.iter().map(length).sum())?;
        let certificates = found.into_iter().map(|c| Certificate {
            subject: c.subject,
            issuer: c.issuer,
            not_before_ms: c.not_before_ms,
            not_after_ms: c.not_after_ms,
            names: c.names,
            authority: c.authority,
        });
        Ok(Ok(certificates.collect()))
    }
}
