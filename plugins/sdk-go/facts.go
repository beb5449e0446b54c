package plugin

import (
	"iter"
	"time"

	"runner.dev/plugin/internal/source"
)

// Roles of a member, as [Member.Role] says them.
const (
	Voter   = "voter"
	Learner = "learner"
)

// Cluster is what runner knows about the cluster that is being joined. Reading it costs no network traffic: everything was
// observed before the call. It cannot be used after the call that it was given to; nor can members.
type Cluster struct {
	from    source.Cluster
	members []*Member
}

// ID is the cluster id in lower-case hex.
func (c *Cluster) ID() string { return c.from.ID() }

// Members are all members, voters and learners, in the order of the member list.
func (c *Cluster) Members() []*Member {
	if c.members == nil {
		for _, m := range c.from.Members() {
			c.members = append(c.members, &Member{m})
		}
	}
	return c.members
}

// Leader is the leader; nil while there is none.
func (c *Cluster) Leader() *Member {
	if m, ok := c.from.Leader(); ok {
		return &Member{m}
	}
	return nil
}

// Quorum is how many voters must agree: more than half of them.
func (c *Cluster) Quorum() int { return int(c.from.Quorum()) }

// FaultTolerance is how many more voters may be lost before the cluster stops, counting those that did not answer as lost already.
func (c *Cluster) FaultTolerance() int { return int(c.from.FaultTolerance()) }

// ObservedAt is when all this was observed.
func (c *Cluster) ObservedAt() time.Time { return time.UnixMilli(int64(c.from.ObservedAtMs())).UTC() }

// Label is a further fact by name; false where runner has none of that name.
func (c *Cluster) Label(key string) (string, bool) { return c.from.Label(key) }

// Member is one member of the cluster, as the leader's member list and its own status describe it.
type Member struct{ from source.Member }

// ID is etcd's member id in lower-case hex, for example 8e9e05c52164694d.
func (m *Member) ID() string { return m.from.ID() }

// Name is its name; empty while it was added but has not started.
func (m *Member) Name() string { return m.from.Name() }

// Role is [Voter] or [Learner]. Treat any other text as neither.
func (m *Member) Role() string { return m.from.Role() }

// Started says whether it has been started at least once: it has published its name and client URLs.
func (m *Member) Started() bool { return m.from.Started() }

// Leader says whether it is the leader.
func (m *Member) Leader() bool { return m.from.Leader() }

// Reachable says whether it answered its status request in this observation.
func (m *Member) Reachable() bool { return m.from.Reachable() }

// PeerURLs are where its peers find it.
func (m *Member) PeerURLs() []string { return m.from.PeerURLs() }

// ClientURLs are where clients find it.
func (m *Member) ClientURLs() []string { return m.from.ClientURLs() }

// Version is the etcd version that it reports, for example 3.5.16; false where it did not answer, as for all that follows.
func (m *Member) Version() (string, bool) { return m.from.Version() }

// DBSize is the size of its database file in bytes.
func (m *Member) DBSize() (uint64, bool) { return m.from.DBSize() }

// DBSizeInUse is how many of them hold data; the rest is what defragmentation would give back.
func (m *Member) DBSizeInUse() (uint64, bool) { return m.from.DBSizeInUse() }

// RaftIndex is the last raft entry that it knows to be committed.
func (m *Member) RaftIndex() (uint64, bool) { return m.from.RaftIndex() }

// RaftAppliedIndex is the last raft entry that it has applied to its database.
func (m *Member) RaftAppliedIndex() (uint64, bool) { return m.from.RaftAppliedIndex() }

// RaftTerm is the raft term that it is in; a new term means a new election.
func (m *Member) RaftTerm() (uint64, bool) { return m.from.RaftTerm() }

// RoundTrip is how long its status request took, from the node where runner runs.
func (m *Member) RoundTrip() (time.Duration, bool) {
	us, ok := m.from.RoundTripUs()
	return time.Duration(us) * time.Microsecond, ok
}

// Problems are the errors that it reports about itself (for example NOSPACE), and alarms raised for it.
func (m *Member) Problems() []string { return m.from.Problems() }

// Label is a further fact by name; false where runner has none of that name.
func (m *Member) Label(key string) (string, bool) { return m.from.Label(key) }

// Newcomer is the member that wants to join, as it is planned.
type Newcomer struct{ from source.Newcomer }

// Name is the name that it will have.
func (n *Newcomer) Name() string { return n.from.Name() }

// PeerURLs are where its peers will find it.
func (n *Newcomer) PeerURLs() []string { return n.from.PeerURLs() }

// ClientURLs are where clients will find it.
func (n *Newcomer) ClientURLs() []string { return n.from.ClientURLs() }

// Version is the etcd version that it will run; false where runner does not start it and nobody has said.
func (n *Newcomer) Version() (string, bool) { return n.from.Version() }

// Label is a further fact by name; false where runner has none of that name.
func (n *Newcomer) Label(key string) (string, bool) { return n.from.Label(key) }

// Samples is a window of samples of the candidate's progress, oldest first.
type Samples struct{ from source.Samples }

// Len is how many there are.
func (s *Samples) Len() int { return int(s.from.Len()) }

// At is sample i, counted from the oldest. Reading one that is not there ends the plugin.
func (s *Samples) At(i int) Sample { return Sample{s, uint32(i)} }

// Newest is the newest sample; false where there is none.
func (s *Samples) Newest() (Sample, bool) {
	n := s.Len()
	return s.At(n - 1), n > 0
}

// Last are the newest n samples, oldest first; fewer where there are fewer.
func (s *Samples) Last(n int) []Sample {
	all := s.Len()
	last := make([]Sample, 0, max(0, min(n, all)))
	for i := max(0, all-n); i < all; i++ {
		last = append(last, s.At(i))
	}
	return last
}

// All are all samples, oldest first.
func (s *Samples) All() iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		for i := range s.Len() {
			if !yield(s.At(i)) {
				return
			}
		}
	}
}

// Sample is one sample of the candidate's progress.
type Sample struct {
	of *Samples
	i  uint32
}

// Time is when it was taken.
func (s Sample) Time() time.Time { return time.UnixMilli(int64(s.of.from.AtMs(s.i))).UTC() }

// LeaderIndex is the leader's committed raft index.
func (s Sample) LeaderIndex() uint64 { return s.of.from.LeaderIndex(s.i) }

// AppliedIndex is the candidate's applied raft index.
func (s Sample) AppliedIndex() uint64 { return s.of.from.AppliedIndex(s.i) }

// Lag is how many entries the candidate was behind; never below zero.
func (s Sample) Lag() uint64 { return s.of.from.Lag(s.i) }

// Leader is the leader's member id; empty where there was none.
func (s Sample) Leader() string {
	id, _ := s.of.from.Leader(s.i)
	return id
}

// Term is the raft term.
func (s Sample) Term() uint64 { return s.of.from.Term(s.i) }

// Reachable says whether the candidate answered its own status request.
func (s Sample) Reachable() bool { return s.of.from.Reachable(s.i) }
