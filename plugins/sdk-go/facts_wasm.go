//go:build wasm

package plugin

import (
	"runner.dev/plugin/internal/source"
	facts "runner.dev/plugin/internal/wit/runner_plugin_facts"
)

// The host's facts.
type (
	hostCluster  struct{ *facts.Cluster }
	hostMember   struct{ *facts.Member }
	hostNewcomer struct{ *facts.Newcomer }
	hostSamples  struct{ *facts.Samples }
)

func (c hostCluster) ID() string { return c.Cluster.Id() }
func (c hostCluster) Members() []source.Member {
	members := c.Cluster.Members()
	all := make([]source.Member, len(members))
	for i, m := range members {
		all[i] = hostMember{m}
	}
	return all
}
func (c hostCluster) Leader() (source.Member, bool) {
	m, ok := c.Cluster.Leader().Get()
	return hostMember{m}, ok
}
func (c hostCluster) Label(key string) (string, bool) { return c.Cluster.Label(key).Get() }

func (m hostMember) ID() string                       { return m.Member.Id() }
func (m hostMember) PeerURLs() []string               { return m.Member.PeerUrls() }
func (m hostMember) ClientURLs() []string             { return m.Member.ClientUrls() }
func (m hostMember) Version() (string, bool)          { return m.Member.Version().Get() }
func (m hostMember) DBSize() (uint64, bool)           { return m.Member.DbSize().Get() }
func (m hostMember) DBSizeInUse() (uint64, bool)      { return m.Member.DbSizeInUse().Get() }
func (m hostMember) RaftIndex() (uint64, bool)        { return m.Member.RaftIndex().Get() }
func (m hostMember) RaftAppliedIndex() (uint64, bool) { return m.Member.RaftAppliedIndex().Get() }
func (m hostMember) RaftTerm() (uint64, bool)         { return m.Member.RaftTerm().Get() }
func (m hostMember) RoundTripUs() (uint32, bool)      { return m.Member.RoundTripUs().Get() }
func (m hostMember) Label(key string) (string, bool)  { return m.Member.Label(key).Get() }

func (n hostNewcomer) PeerURLs() []string              { return n.Newcomer.PeerUrls() }
func (n hostNewcomer) ClientURLs() []string            { return n.Newcomer.ClientUrls() }
func (n hostNewcomer) Version() (string, bool)         { return n.Newcomer.Version().Get() }
func (n hostNewcomer) Label(key string) (string, bool) { return n.Newcomer.Label(key).Get() }

func (s hostSamples) Leader(i uint32) (string, bool) { return s.Samples.Leader(i).Get() }
