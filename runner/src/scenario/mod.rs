//! Scenarios: facts for a plugin in a file, and what is expected of it, so that it is tested without a cluster.

pub use cluster::{ClusterFacts, Healthy, MemberFacts, MemberRole};
pub use expect::{Expect, ExpectedFinding, ExpectedProblem, ExpectedVerdict, ExpectedWait, FindingFields, ProblemFields};
pub use facts::{LagFacts, NewcomerFacts, SampleFacts, SamplesFacts};
pub use file::{HostCall, Scenario};
pub use pattern::Pattern;
pub use read::{parse, read};
pub use short::{Size, Time};

mod cluster;
mod expect;
mod facts;
mod file;
mod pattern;
mod read;
mod short;
