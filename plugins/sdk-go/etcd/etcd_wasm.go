//go:build wasm

package etcd

import (
	"time"

	"runner.dev/plugin/internal/host"
	wit "runner.dev/plugin/internal/wit/runner_plugin_etcd"
)

func get(key string) (*Entry, error) {
	found, err := host.Take(wit.Get(key))
	entry, there := found.Get()
	if err != nil || !there {
		return nil, err
	}
	return &Entry{entry.Key, entry.Value, entry.ModRevision}, nil
}

func list(prefix string, limit int) ([]Entry, error) {
	found, err := host.Take(wit.ListKeys(prefix, uint32(limit)))
	var entries []Entry
	for _, entry := range found {
		entries = append(entries, Entry{entry.Key, entry.Value, entry.ModRevision})
	}
	return entries, err
}

func status(member string) (*MemberStatus, error) {
	s, err := host.Take(wit.Status(member))
	if err != nil {
		return nil, err
	}
	return &MemberStatus{
		Version: s.Version, DBSize: s.DbSize, DBSizeInUse: s.DbSizeInUse, RaftIndex: s.RaftIndex,
		RaftAppliedIndex: s.RaftAppliedIndex, RaftTerm: s.RaftTerm, Leader: s.Leader.Some(), Learner: s.Learner,
		Problems: s.Problems, RoundTrip: time.Duration(s.RoundTripUs) * time.Microsecond,
	}, nil
}
