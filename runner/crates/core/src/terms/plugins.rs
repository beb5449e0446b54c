//! Plugins: what they find and say, how they fail, and how far their word goes.

use super::words;

words! {
    /// How bad a finding is.
    #[derive(PartialOrd, Ord)]
    pub enum Severity {
        /// Good to know.
        Info = "info",
        /// Worth a look; the join goes on.
        Warning = "warning",
        /// The join is refused.
        Error = "error",
    }

    /// How loud a plugin's log line is.
    pub enum LogLevel {
        /// For the plugin's author.
        Debug = "debug",
        /// What happens.
        Info = "info",
        /// What looks wrong.
        Warn = "warn",
        /// What is wrong.
        Error = "error",
    }

    /// What a plugin's answer came to.
    pub enum VerdictKind {
        /// A health check has no objection.
        Pass = "pass",
        /// The learner may vote.
        Approve = "approve",
        /// Not yet.
        Wait = "wait",
        /// The join is refused.
        Reject = "reject",
        /// A notifier was told.
        Told = "told",
        /// It did not answer.
        Failed = "failed",
        /// It did not answer, and its failure policy is `ignore`.
        Ignored = "ignored",
        /// It has no say.
        Monitored = "monitored",
    }

    /// What becomes of the join when a plugin fails to answer.
    pub enum FailurePolicy {
        /// The join is refused or undone.
        Fail = "fail",
        /// It is said, and the join goes on without this plugin's word.
        Ignore = "ignore",
    }

    /// Whether a plugin's word counts.
    #[derive(Default)]
    pub enum Mode {
        /// It is obeyed.
        #[default]
        Enforce = "enforce",
        /// It is asked, judged and reported, and never obeyed: it neither refuses nor delays a join.
        Monitor = "monitor",
    }

    /// In which way a plugin failed to answer.
    pub enum FaultKind {
        /// It said itself that it could not do its work.
        Error = "error",
        /// It trapped.
        Trap = "trap",
        /// It used more processor time than it may.
        Cpu = "cpu",
        /// It took longer than it may, host calls included.
        Timeout = "timeout",
        /// It wanted more memory than it may have.
        Memory = "memory",
        /// It kept more handles than it may.
        Handles = "handles",
        /// It moved more bytes across the boundary than it may.
        Bytes = "bytes",
        /// Its component could not be instantiated.
        Instantiate = "instantiate",
    }
}
