//! What a person is told to do to a cluster or a node, as data: it is said in one way, with what must be the case first, and it can be read
//! off what was printed, to be tried out (the simulated cluster's judge obeys every remedy that a run prints, and judges again).

use std::fmt;

use super::MemberId;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// `runner resume`
    Resume,
    /// `runner rollback`
    Rollback,
    /// `runner start`
    Start,
    /// `runner rollback --abandon`
    Abandon {
        /// Only then.
        only: Only,
    },
    /// `etcdctl member remove ID`
    RemoveMember {
        /// Which.
        id: MemberId,
        /// Only then.
        only: Only,
    },
    /// Move a data directory aside.
    MoveAside {
        /// Where it is.
        path: String,
        /// Only then.
        only: Only,
    },
}

/// What must be the case before a remedy is obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// The member's machine or its data is gone for good.
    GoneForGood,
    /// The list still shows the member as a learner, and nobody is joining it any more.
    NobodyJoins,
    /// The list still shows the member as one that has not started, and nobody is about to start it.
    NotStarted,
    /// The list shows the member as a learner.
    Learner,
    /// No etcd runs from the directory.
    NotInUse,
    /// The cluster that the run worked on is gone.
    ClusterGone,
    /// Nothing was said.
    Always,
}

impl Only {
    const ALL: [Self; 6] =
        [Self::GoneForGood, Self::NobodyJoins, Self::NotStarted, Self::Learner, Self::NotInUse, Self::ClusterGone];

    fn clause(self) -> &'static str {
        match self {
            Self::GoneForGood => "if it is gone for good, and not only out of reach from here: ",
            Self::NobodyJoins => "if nobody is joining it any more, and `etcdctl member list` still shows it as a learner: ",
            Self::NotStarted => "if nobody is about to start it, and `etcdctl member list` still shows it as unstarted: ",
            Self::Learner => "while `etcdctl member list` shows it as a learner: ",
            Self::NotInUse => "if no etcd runs from it: ",
            Self::ClusterGone => "if that cluster is gone for good: ",
            Self::Always => "",
        }
    }

    /// What was said right before a command.
    fn said(before: &str) -> Self {
        Self::ALL.into_iter().find(|only| before.ends_with(only.clause())).unwrap_or(Self::Always)
    }
}

const ABANDON: &str = "`runner rollback --abandon`";
const REMOVE: &str = "etcdctl member remove ";
const MOVE: &str = "move ";
const ASIDE: &str = " aside";

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resume => f.write_str("`runner resume`"),
            Self::Rollback => f.write_str("`runner rollback`"),
            Self::Start => f.write_str("`runner start`"),
            Self::Abandon { only } => write!(f, "{}{ABANDON}", only.clause()),
            Self::RemoveMember { id, only } => write!(f, "{}{REMOVE}{id}", only.clause()),
            Self::MoveAside { path, only } => write!(f, "{}{MOVE}{path}{ASIDE}", only.clause()),
        }
    }
}

impl Remedy {
    /// To remove this member.
    pub fn remove(id: MemberId, only: Only) -> Self {
        Self::RemoveMember { id, only }
    }

    /// To move this directory aside.
    pub fn move_aside(path: &str, only: Only) -> Self {
        Self::MoveAside { path: path.to_owned(), only }
    }

    /// The remedies that a printed text names, in its order.
    pub fn read(text: &str) -> Vec<Self> {
        let mut found: Vec<(usize, Self)> = Vec::new();
        for plain in [Self::Resume, Self::Rollback, Self::Start] {
            found.extend(text.match_indices(&plain.to_string()).map(|(at, _)| (at, plain.clone())));
        }
        for (at, _) in text.match_indices(ABANDON) {
            found.push((at, Self::Abandon { only: Only::said(&text[..at]) }));
        }
        for (at, _) in text.match_indices(REMOVE) {
            let rest = &text[at + REMOVE.len()..];
            let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
            if let Ok(id) = rest[..end].parse() {
                found.push((at, Self::RemoveMember { id, only: Only::said(&text[..at]) }));
            }
        }
        for (at, _) in text.match_indices(MOVE) {
            let rest = &text[at + MOVE.len()..];
            if let Some(path) = rest.split_once(ASIDE).map(|(path, _)| path).filter(|path| path.starts_with('/')) {
                found.push((at, Self::MoveAside { path: path.to_owned(), only: Only::said(&text[..at]) }));
            }
        }
        found.sort_by_key(|(at, _)| *at);
        found.into_iter().map(|(_, remedy)| remedy).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        let id = MemberId(0xbeef);
        let all = [
            Remedy::Resume,
            Remedy::Rollback,
            Remedy::Start,
            Remedy::Abandon { only: Only::ClusterGone },
            Remedy::remove(id, Only::GoneForGood),
            Remedy::remove(id, Only::NobodyJoins),
            Remedy::remove(id, Only::NotStarted),
            Remedy::remove(id, Only::Learner),
            Remedy::remove(id, Only::Always),
            Remedy::move_aside("/var/lib/etcd", Only::NotInUse),
        ];
        for remedy in &all {
            assert_eq!(Remedy::read(&format!("then {remedy}, and wait")), std::slice::from_ref(remedy));
        }
        let text: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(Remedy::read(&text.join("; ")), all);
        assert_eq!(Remedy::read("bring it back; move on"), []);
    }
}
