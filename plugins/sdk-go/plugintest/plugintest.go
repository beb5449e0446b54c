//go:build !wasm

// Package plugintest makes up facts, so that a plugin's logic is tested by `go test`, without WebAssembly.
package plugintest

import (
	"testing"
	"time"

	"runner.dev/plugin"
	"runner.dev/plugin/internal/hook"
	"runner.dev/plugin/internal/source"
)

// Member describes a member. What is left out is as of one that does not answer.
type Member struct {
	ID, Name string
	// plugin.Voter where it is empty.
	Role                                                   string
	Started, Leader, Reachable                             bool
	PeerURLs, ClientURLs                                   []string
	Version                                                string
	DBSize, DBSizeInUse, RaftIndex, RaftAppliedIndex, Term uint64
	RoundTrip                                              time.Duration
	Problems                                               []string
	Labels                                                 map[string]string
}

// Cluster describes a cluster.
type Cluster struct {
	ID         string
	Members    []Member
	ObservedAt time.Time
	Labels     map[string]string
}

// Newcomer describes who wants to join.
type Newcomer struct {
	Name                 string
	PeerURLs, ClientURLs []string
	Version              string
	Labels               map[string]string
}

// Sample describes a sample: by the lag, or by both indexes.
type Sample struct {
	Lag                       uint64
	LeaderIndex, AppliedIndex uint64
	// The leader's member id; empty for none.
	Leader      string
	Term        uint64
	Unreachable bool
	Time        time.Time
}

// Build is the cluster for a plugin.
func (c Cluster) Build() *plugin.Cluster { return hook.Cluster(fakeCluster{c}).(*plugin.Cluster) }

// Build is the member for a plugin.
func (m Member) Build() *plugin.Member { return hook.Member(fakeMember{m}).(*plugin.Member) }

// Build is the newcomer for a plugin.
func (n Newcomer) Build() *plugin.Newcomer { return hook.Newcomer(fakeNewcomer{n}).(*plugin.Newcomer) }

// Samples is a window for a plugin, oldest first.
func Samples(samples ...Sample) *plugin.Samples {
	return hook.Samples(fakeSamples(samples)).(*plugin.Samples)
}

// Problems is what the plugin finds wrong with these settings (a JSON object).
func Problems(settings string) []plugin.Problem { return hook.Validate(settings).([]plugin.Problem) }

// UseSettings gives the plugin these settings until the test ends.
func UseSettings(t testing.TB, settings string) {
	t.Helper()
	if err := hook.Load(settings); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hook.Load("{}") })
}

// SetNow sets what plugin.Now returns until the test ends.
func SetNow(t testing.TB, now time.Time) {
	before := hook.Now
	hook.Now = now
	t.Cleanup(func() { hook.Now = before })
}

// Log hands over what the plugin logs until the test ends.
func Log(t testing.TB, to func(level, message string)) {
	before := hook.Log
	hook.Log = to
	t.Cleanup(func() { hook.Log = before })
}

type fakeCluster struct{ Cluster }

func (c fakeCluster) ID() string { return c.Cluster.ID }
func (c fakeCluster) Members() []source.Member {
	var all []source.Member
	for _, m := range c.Cluster.Members {
		all = append(all, fakeMember{m})
	}
	return all
}
func (c fakeCluster) Leader() (source.Member, bool) {
	for _, m := range c.Cluster.Members {
		if m.Leader {
			return fakeMember{m}, true
		}
	}
	return nil, false
}
func (c fakeCluster) voters() (all, answering uint32) {
	for _, m := range c.Cluster.Members {
		if (fakeMember{m}).Role() != plugin.Voter {
			continue
		}
		all++
		if m.Reachable {
			answering++
		}
	}
	return all, answering
}
func (c fakeCluster) Quorum() uint32 {
	all, _ := c.voters()
	return all/2 + 1
}
func (c fakeCluster) FaultTolerance() uint32 {
	_, answering := c.voters()
	return answering - min(answering, c.Quorum())
}
func (c fakeCluster) ObservedAtMs() uint64            { return uint64(c.ObservedAt.UnixMilli()) }
func (c fakeCluster) Label(key string) (string, bool) { v, ok := c.Labels[key]; return v, ok }

type fakeMember struct{ Member }

func (m fakeMember) ID() string   { return m.Member.ID }
func (m fakeMember) Name() string { return m.Member.Name }
func (m fakeMember) Role() string {
	if m.Member.Role == "" {
		return plugin.Voter
	}
	return m.Member.Role
}
func (m fakeMember) Started() bool               { return m.Member.Started }
func (m fakeMember) Leader() bool                { return m.Member.Leader }
func (m fakeMember) Reachable() bool             { return m.Member.Reachable }
func (m fakeMember) PeerURLs() []string          { return m.Member.PeerURLs }
func (m fakeMember) ClientURLs() []string        { return m.Member.ClientURLs }
func (m fakeMember) Version() (string, bool)     { return m.Member.Version, m.Member.Reachable }
func (m fakeMember) DBSize() (uint64, bool)      { return m.Member.DBSize, m.Member.Reachable }
func (m fakeMember) DBSizeInUse() (uint64, bool) { return m.Member.DBSizeInUse, m.Member.Reachable }
func (m fakeMember) RaftIndex() (uint64, bool)   { return m.Member.RaftIndex, m.Member.Reachable }
func (m fakeMember) RaftAppliedIndex() (uint64, bool) {
	return m.Member.RaftAppliedIndex, m.Member.Reachable
}
func (m fakeMember) RaftTerm() (uint64, bool) { return m.Member.Term, m.Member.Reachable }
func (m fakeMember) RoundTripUs() (uint32, bool) {
	return uint32(m.Member.RoundTrip.Microseconds()), m.Member.Reachable
}
func (m fakeMember) Problems() []string              { return m.Member.Problems }
func (m fakeMember) Label(key string) (string, bool) { v, ok := m.Labels[key]; return v, ok }

type fakeNewcomer struct{ Newcomer }

func (n fakeNewcomer) Name() string                    { return n.Newcomer.Name }
func (n fakeNewcomer) PeerURLs() []string              { return n.Newcomer.PeerURLs }
func (n fakeNewcomer) ClientURLs() []string            { return n.Newcomer.ClientURLs }
func (n fakeNewcomer) Version() (string, bool)         { return n.Newcomer.Version, n.Newcomer.Version != "" }
func (n fakeNewcomer) Label(key string) (string, bool) { v, ok := n.Labels[key]; return v, ok }

type fakeSamples []Sample

func (s fakeSamples) Len() uint32                 { return uint32(len(s)) }
func (s fakeSamples) AtMs(i uint32) uint64        { return uint64(s[i].Time.UnixMilli()) }
func (s fakeSamples) LeaderIndex(i uint32) uint64 { return s[i].LeaderIndex }
func (s fakeSamples) AppliedIndex(i uint32) uint64 {
	return s[i].AppliedIndex
}
func (s fakeSamples) Lag(i uint32) uint64 {
	if s[i].LeaderIndex > s[i].AppliedIndex {
		return s[i].LeaderIndex - s[i].AppliedIndex
	}
	return s[i].Lag
}
func (s fakeSamples) Leader(i uint32) (string, bool) { return s[i].Leader, s[i].Leader != "" }
func (s fakeSamples) Term(i uint32) uint64           { return s[i].Term }
func (s fakeSamples) Reachable(i uint32) bool        { return !s[i].Unreachable }
