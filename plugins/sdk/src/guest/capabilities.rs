//! The capabilities' side of the host: the generated functions with the SDK's types.

use super::bindings::capabilities::runner::plugin as wit;
use crate::Failure;

impl From<wit::failures::Failure> for Failure {
    fn from(failure: wit::failures::Failure) -> Self {
        Self { kind: failure.kind.into(), message: failure.message }
    }
}

pub(crate) mod random {
    pub(crate) use super::wit::random::bytes;
}

pub(crate) mod http {
    use super::wit::http as wit;
    use crate::Failure;
    use crate::http::{Request, Response};

    pub(crate) fn send(request: &Request) -> Result<Response, Failure> {
        let header = |(name, value): &(String, String)| wit::Header { name: name.clone(), value: value.clone() };
        let response = wit::send(&wit::Request {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.iter().map(header).collect(),
            body: request.body.clone(),
            timeout_ms: request.timeout_ms,
        })?;
        let headers = response.headers.into_iter().map(|h| (h.name, h.value)).collect();
        Ok(Response { status: response.status, headers, body: response.body })
    }
}

pub(crate) mod kubernetes {
    use super::wit::kubernetes as wit;
    use crate::Failure;

    pub(crate) fn get(
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<String>, Failure> {
        Ok(wit::get(api_version, kind, namespace, name)?)
    }

    pub(crate) fn list(
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<String>, Failure> {
        Ok(wit::list_objects(api_version, kind, namespace, selector)?)
    }
}

pub(crate) mod probes {
    use super::wit::probes as wit;
    use crate::Failure;
    use crate::probes::{Certificate, ClockOffset, Latency, Space};

    pub(crate) fn fsync(directory: &str, writes: u32) -> Result<Latency, Failure> {
        Ok(wit::fsync(directory, writes)?.into())
    }

    pub(crate) fn disk_space(path: &str) -> Result<Space, Failure> {
        Ok(wit::disk_space(path)?.into())
    }

    pub(crate) fn memory() -> Result<Space, Failure> {
        Ok(wit::memory()?.into())
    }

    pub(crate) fn connect(url: &str, times: u32) -> Result<Latency, Failure> {
        Ok(wit::connect(url, times)?.into())
    }

    pub(crate) fn path_mtu(url: &str) -> Result<u32, Failure> {
        Ok(wit::path_mtu(url)?)
    }

    pub(crate) fn clock_offset_of(url: &str) -> Result<ClockOffset, Failure> {
        let wit::ClockOffset { earliest_ms, latest_ms } = wit::clock_offset_of(url)?;
        Ok(ClockOffset { earliest_ms, latest_ms })
    }

    pub(crate) fn certificates(path: &str) -> Result<Vec<Certificate>, Failure> {
        Ok(wit::certificates(path)?.into_iter().map(Certificate::from).collect())
    }

    pub(crate) fn certificates_of(url: &str) -> Result<Vec<Certificate>, Failure> {
        Ok(wit::certificates_of(url)?.into_iter().map(Certificate::from).collect())
    }

    impl From<wit::Latency> for Latency {
        fn from(l: wit::Latency) -> Self {
            Self {
                count: l.count,
                min_us: l.min_us,
                median_us: l.median_us,
                p90_us: l.p90_us,
                p99_us: l.p99_us,
                max_us: l.max_us,
            }
        }
    }

    impl From<wit::Space> for Space {
        fn from(space: wit::Space) -> Self {
            Self { total: space.total, available: space.available }
        }
    }

    impl From<wit::Certificate> for Certificate {
        fn from(c: wit::Certificate) -> Self {
            Self {
                subject: c.subject,
                issuer: c.issuer,
                not_before_ms: c.not_before_ms,
                not_after_ms: c.not_after_ms,
                names: c.names,
                authority: c.authority,
            }
        }
    }
}

pub(crate) mod etcd {
    use super::wit::etcd as wit;
    use crate::Failure;
    use crate::etcd::{Entry, MemberStatus};

    pub(crate) fn get(key: &str) -> Result<Option<Entry>, Failure> {
        Ok(wit::get(key)?.map(Entry::from))
    }

    pub(crate) fn list(prefix: &str, limit: u32) -> Result<Vec<Entry>, Failure> {
        Ok(wit::list_keys(prefix, limit)?.into_iter().map(Entry::from).collect())
    }

    pub(crate) fn status(member: &str) -> Result<MemberStatus, Failure> {
        let s = wit::status(member)?;
        Ok(MemberStatus {
            version: s.version,
            db_size: s.db_size,
            db_size_in_use: s.db_size_in_use,
            raft_index: s.raft_index,
            raft_applied_index: s.raft_applied_index,
            raft_term: s.raft_term,
            leader: s.leader,
            learner: s.learner,
            problems: s.problems,
            round_trip_us: s.round_trip_us,
        })
    }

    impl From<wit::Entry> for Entry {
        fn from(entry: wit::Entry) -> Self {
            Self { key: entry.key, value: entry.value, mod_revision: entry.mod_revision }
        }
    }
}

pub(crate) mod secrets {
    use super::wit::secrets as wit;
    use crate::Failure;

    pub(crate) use wit::Secret;

    pub(crate) fn get(name: &str) -> Result<Secret, Failure> {
        Ok(wit::get(name)?)
    }
}
