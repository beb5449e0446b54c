// Package etcd reads from etcd itself: keys under the prefixes that the operator granted, and what members say of themselves now.
// It is the capability `etcd`. What the cluster looks like is in the facts already, and costs nothing.
package etcd

import "time"

// Entry is a key and its value.
type Entry struct {
	Key   string
	Value []byte
	// The revision of its last change.
	ModRevision uint64
}

// MemberStatus is what a member says of itself.
type MemberStatus struct {
	Version          string
	DBSize           uint64
	DBSizeInUse      uint64
	RaftIndex        uint64
	RaftAppliedIndex uint64
	RaftTerm         uint64
	// The leader's member id, as this member sees it; empty where it sees none.
	Leader    string
	Learner   bool
	Problems  []string
	RoundTrip time.Duration
}

// Get is one key under a granted prefix; nil where it is not there. Errors are *plugin.Failure.
func Get(key string) (*Entry, error) { return get(key) }

// List are up to limit (1 to 1000) keys that begin with the prefix, in order. Errors are *plugin.Failure.
func List(prefix string, limit int) ([]Entry, error) { return list(prefix, limit) }

// Status is what the member of that id says of itself now. Errors are *plugin.Failure.
func Status(member string) (*MemberStatus, error) { return status(member) }
