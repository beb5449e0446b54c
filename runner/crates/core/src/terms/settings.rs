//! Settings of a run that are a choice of words.

use super::words;

// A member that was caught up by a snapshot keeps its client port closed for etcd's request timeout (5 s and twice the election
// timeout) where its own name was in that snapshot: it waits to see the proposal applied, and it never will. Hence `SilentLearner`.
//
// There is no third `OnApprovalTimeout`: to promote a learner that nobody approved would make an approval of a silence.

words! {
    /// What to do about a learner in the list that is not ours.
    pub enum StaleLearner {
        /// Wait for it to become a voter or go, for up to `timeouts.learnerSlot`.
        Wait = "wait",
        /// Refuse at once.
        Fail = "fail",
    }

    /// What to do about the joining learner where it has all the data and does not serve.
    #[derive(Default)]
    pub enum SilentLearner {
        /// Restart it, once and before it has a vote, where the launcher can.
        #[default]
        Restart = "restart",
        /// Wait with it.
        Wait = "wait",
    }

    /// What becomes of a learner that is not approved in time.
    #[derive(Default)]
    pub enum OnApprovalTimeout {
        /// Everything is undone; the cluster is as it was.
        #[default]
        Undo = "undo",
        /// The learner stays, caught up and without a vote; `runner resume` asks the plugins again, `runner rollback` undoes it.
        Leave = "leave",
    }

    /// Who starts the member's etcd.
    pub enum LauncherKind {
        /// runner itself, as a process of its own that outlives it.
        Process = "process",
        /// The kubelet, as a static pod with a manifest like kubeadm's.
        StaticPod = "static-pod",
        /// systemd, as a unit.
        Systemd = "systemd",
        /// Somebody else: runner prints the exact flags and waits for the member to appear.
        External = "external",
    }
}
