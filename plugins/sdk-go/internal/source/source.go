// Package source says where facts come from: from the host, or from a test.
package source

// Cluster is the cluster that is being joined.
type Cluster interface {
	ID() string
	Members() []Member
	Leader() (Member, bool)
	Quorum() uint32
	FaultTolerance() uint32
	ObservedAtMs() uint64
	Label(key string) (string, bool)
}

// Member is one of its members.
type Member interface {
	ID() string
	Name() string
	Role() string
	Started() bool
	Leader() bool
	Reachable() bool
	PeerURLs() []string
	ClientURLs() []string
	Version() (string, bool)
	DBSize() (uint64, bool)
	DBSizeInUse() (uint64, bool)
	RaftIndex() (uint64, bool)
	RaftAppliedIndex() (uint64, bool)
	RaftTerm() (uint64, bool)
	RoundTripUs() (uint32, bool)
	Problems() []string
	Label(key string) (string, bool)
}

// Newcomer is the member that wants to join.
type Newcomer interface {
	Name() string
	PeerURLs() []string
	ClientURLs() []string
	Version() (string, bool)
	Label(key string) (string, bool)
}

// Samples is a window of samples of the candidate's progress.
type Samples interface {
	Len() uint32
	AtMs(i uint32) uint64
	LeaderIndex(i uint32) uint64
	AppliedIndex(i uint32) uint64
	Lag(i uint32) uint64
	Leader(i uint32) (string, bool)
	Term(i uint32) uint64
	Reachable(i uint32) bool
}
