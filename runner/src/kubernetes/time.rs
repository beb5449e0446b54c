//! Times as the API writes them. Its types come with a `jiff` of their own, so a time is carried over by its microseconds.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp as Theirs;

/// To the microsecond; a time that the API cannot write becomes the earliest.
pub(super) fn micro(time: Timestamp) -> MicroTime {
    MicroTime(Theirs::from_microsecond(time.as_microsecond()).unwrap_or(Theirs::MIN))
}

/// A time of the API.
pub(super) fn ours(time: Theirs) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(Timestamp::MIN)
}
