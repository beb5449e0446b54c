//! Scenarios: facts for a plugin in a file, and what is expected of it, so that it is tested without a cluster.

pub use cluster::{ClusterFacts, Healthy, MemberFacts, MemberRole};
pub use expect::{Expect, ExpectedFinding, ExpectedProblem, ExpectedVerdict, ExpectedWait, FindingFields, ProblemFields};
pub use facts::{LagFacts, NewcomerFacts, SampleFacts, SamplesFacts};
pub use file::{HostCall, Scenario};
pub use host_calls::{AskPattern, ReplyForm};
pub use pattern::Pattern;
pub use read::{parse, read};
pub use report::{Difference, Report};
pub use run::play;
pub use short::{Size, Time};

mod cluster;
mod compare;
mod expect;
mod facts;
mod file;
mod host_calls;
mod pattern;
mod read;
mod report;
mod run;
mod short;
