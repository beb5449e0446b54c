//! A run: what it is, which steps it has, how it ends.

use super::words;

words! {
    /// What a run does.
    pub enum RunKind {
        /// It joins a member.
        Join = "join",
        /// It goes on with an earlier run.
        Resume = "resume",
        /// It undoes an earlier run.
        Rollback = "rollback",
        /// It only looks.
        Check = "check",
    }

    /// A step of a run.
    pub enum Step {
        /// The cluster is found and read.
        Discover = "discover",
        /// The built-in checks and the health checks are asked.
        Check = "check",
        /// The join lock is taken.
        Lock = "lock",
        /// The member is added as a learner.
        AddLearner = "add-learner",
        /// The member's etcd is started.
        StartMember = "start-member",
        /// The learner catches up and is approved.
        Sync = "sync",
        /// The learner becomes a voter.
        Promote = "promote",
        /// Every member agrees that it is one, and it serves.
        Verify = "verify",
        /// The notifiers are told.
        Announce = "announce",
        /// What a run has done is undone.
        Undo = "undo",
    }

    /// How a run ended. Each has an exit status of its own, so that scripts need not read text.
    pub enum Outcome {
        /// The member is a voter and serves reads.
        Joined = "joined",
        /// Nothing speaks against a join; nobody asked for one.
        Accepted = "accepted",
        /// `rollback` was asked for and everything is undone.
        RolledBackOnRequest = "rolled-back-on-request",
        /// The input cannot be used; nothing was changed.
        BadInput = "bad-input",
        /// A plugin's test failed, or what a run asked of it came out otherwise when it was asked again. No run ends so.
        Differs = "differs",
        /// A built-in check refused; the cluster is as it was.
        CheckRefused = "check-refused",
        /// A plugin refused; the cluster is as it was.
        PluginRefused = "plugin-refused",
        /// A plugin failed to answer and its failure policy is `fail`; the cluster is as it was.
        PluginFailed = "plugin-failed",
        /// The cluster could not be reached; it is as it was.
        Unreachable = "unreachable",
        /// Something took too long; everything is undone.
        TimedOut = "timed-out",
        /// Something failed; everything is undone.
        RolledBack = "rolled-back",
        /// Neither promoted nor undone, or promoted and not verified: a person is needed.
        Stuck = "stuck",
        /// The run's member is gone and the node belongs to another one by now: nothing was touched, and the run is closed.
        Overtaken = "overtaken",
        /// Interrupted; the message says whether it was undone or can be resumed.
        Interrupted = "interrupted",
    }
}

impl Outcome {
    /// The command's exit status for this outcome.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Joined | Self::Accepted | Self::RolledBackOnRequest => 0,
            Self::BadInput => 2,
            Self::Differs => 3,
            Self::CheckRefused => 10,
            Self::PluginRefused => 11,
            Self::PluginFailed => 12,
            Self::Unreachable => 13,
            Self::TimedOut => 14,
            Self::RolledBack => 15,
            Self::Stuck => 16,
            Self::Overtaken => 17,
            Self::Interrupted => 130,
        }
    }
}
