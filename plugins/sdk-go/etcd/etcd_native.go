//go:build !wasm

package etcd

import "runner.dev/plugin/internal/failure"

// What answers in tests.
var (
	FakeGet    func(key string) (*Entry, error)
	FakeList   func(prefix string, limit int) ([]Entry, error)
	FakeStatus func(member string) (*MemberStatus, error)
)

func get(key string) (*Entry, error) {
	if FakeGet == nil {
		return nil, failure.NoHost("etcd.FakeGet")
	}
	return FakeGet(key)
}

func list(prefix string, limit int) ([]Entry, error) {
	if FakeList == nil {
		return nil, failure.NoHost("etcd.FakeList")
	}
	return FakeList(prefix, limit)
}

func status(member string) (*MemberStatus, error) {
	if FakeStatus == nil {
		return nil, failure.NoHost("etcd.FakeStatus")
	}
	return FakeStatus(member)
}
