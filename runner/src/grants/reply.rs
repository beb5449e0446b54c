//! Answers.

use serde::{Deserialize, Serialize};

use super::Header;

/// What a plugin is answered. In files: one key, the kind of answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    /// Random bytes.
    Bytes(#[serde(with = "super::bytes")] Vec<u8>),
    /// An HTTP response.
    Http(HttpResponse),
    /// A Kubernetes object as JSON; none where there is none.
    Object(Option<String>),
    /// Kubernetes objects as JSON.
    Objects(Vec<String>),
    /// Measured times.
    Latency(Latency),
    /// Measured space.
    Space(Space),
    /// Bytes of a packet.
    Mtu(u32),
    /// A difference of clocks.
    ClockOffset(ClockOffset),
    /// Certificates.
    Certificates(Vec<Certificate>),
    /// A key of etcd; none where there is none.
    Entry(Option<Entry>),
    /// Keys of etcd.
    Entries(Vec<Entry>),
    /// A member's own status.
    Status(MemberStatus),
    /// A secret's text. Never written down as it is: see the recording.
    Secret(String),
}

/// A refusal, or trouble outside: what the plugin gets in the place of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Refused {
    /// See `failures.failure.kind` in the contract.
    pub kind: String,
    /// One sentence.
    pub message: String,
}

/// An HTTP response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// Its status code.
    pub status: u16,
    /// Names in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// The whole body.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "super::bytes")]
    pub body: Vec<u8>,
}

/// Several measurements of one thing, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the contract says it")]
pub struct Latency {
    pub count: u32,
    pub min_us: u32,
    pub median_us: u32,
    pub p90_us: u32,
    pub p99_us: u32,
    pub max_us: u32,
}

/// Bytes of a disk or of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the contract says it")]
pub struct Space {
    pub total: u64,
    pub available: u64,
}

/// This node's clock minus another's lies between these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the contract says it")]
pub struct ClockOffset {
    pub earliest_ms: i32,
    pub latest_ms: i32,
}

/// A certificate, without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the contract says it")]
pub struct Certificate {
    pub subject: String,
    pub issuer: String,
    pub not_before_ms: u64,
    pub not_after_ms: u64,
    pub names: Vec<String>,
    pub authority: bool,
}

/// A key of etcd and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the contract says it")]
pub struct Entry {
    pub key: String,
    #[serde(with = "super::bytes")]
    pub value: Vec<u8>,
    pub mod_revision: u64,
}

/// What a member says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the contract says it")]
pub struct MemberStatus {
    pub version: String,
    pub db_size: u64,
    pub db_size_in_use: u64,
    pub raft_index: u64,
    pub raft_applied_index: u64,
    pub raft_term: u64,
    pub leader: Option<String>,
    pub learner: bool,
    pub problems: Vec<String>,
    pub round_trip_us: u32,
}

impl Refused {
    /// A refusal of this kind.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into() }
    }

    /// Not granted.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new("denied", message)
    }

    /// A question that makes no sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("invalid", message)
    }
}
