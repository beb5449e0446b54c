//! Members and the member list, as etcd's `MemberList` gives them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An etcd member id. Shown, stored and parsed in etcd's own spelling: lower-case hex without leading zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(pub u64);

/// One member of the cluster's member list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its id, never reused by etcd once removed.
    pub id: MemberId,
    /// Its name; empty while it was added but has never published itself.
    pub name: String,
    /// Where the other members reach it.
    pub peer_urls: Vec<String>,
    /// Where clients reach it; empty while it has never published itself.
    pub client_urls: Vec<String>,
    /// Whether it is a learner: it receives the log and has no vote.
    pub learner: bool,
}

/// The member list of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberList {
    /// The cluster's id; zero where the answer carried none.
    pub cluster_id: u64,
    /// The members in etcd's order.
    pub members: Vec<Member>,
}

impl Member {
    /// Whether it has published its name and client URLs, that is, whether its process has been up once.
    pub fn started(&self) -> bool {
        !self.name.is_empty()
    }

    /// Whether it has a vote.
    pub fn voter(&self) -> bool {
        !self.learner
    }

    /// Whether its peer URLs are exactly these, in any order.
    pub fn has_peer_urls(&self, urls: &[String]) -> bool {
        let (mut a, mut b) = (self.peer_urls.clone(), urls.to_vec());
        a.sort();
        b.sort();
        a == b
    }

    /// The name to show a person: the member's own, or its id where it has none.
    pub fn label(&self) -> String {
        if self.name.is_empty() { format!("{} (not started)", self.id) } else { self.name.clone() }
    }
}

impl MemberList {
    /// The member of this id.
    pub fn get(&self, id: MemberId) -> Option<&Member> {
        self.members.iter().find(|m| m.id == id)
    }

    /// The member whose peer URLs are exactly these, in any order.
    pub fn by_peer_urls(&self, urls: &[String]) -> Option<&Member> {
        self.members.iter().find(|m| m.has_peer_urls(urls))
    }

    /// The first member that uses any of these peer URLs.
    pub fn using_peer_url(&self, urls: &[String]) -> Option<&Member> {
        self.members.iter().find(|m| m.peer_urls.iter().any(|u| urls.contains(u)))
    }

    /// The members that vote.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.voter())
    }

    /// The members that do not vote.
    pub fn learners(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.learner)
    }
}

/// How many of `voters` voters must agree: more than half.
pub fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MemberId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for MemberId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MemberId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quorum_is_more_than_half() {
        assert_eq!([1, 2, 3, 4, 5, 6, 7].map(quorum), [1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn ids_round_trip_in_etcds_spelling() {
        let id: MemberId = "8e9e05c52164694d".parse().unwrap();
        assert_eq!(id.0, 10276657743932975437);
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"8e9e05c52164694d\"");
        assert_eq!(serde_json::from_str::<MemberId>("\"ff\"").unwrap(), MemberId(255));
    }
}
