//go:build !wasm

package kubernetes

import "runner.dev/plugin/internal/failure"

// What answers in tests.
var (
	FakeGet  func(apiVersion, kind, namespace, name string) (string, bool, error)
	FakeList func(apiVersion, kind, namespace, selector string) ([]string, error)
)

func get(apiVersion, kind, namespace, name string) (string, bool, error) {
	if FakeGet == nil {
		return "", false, failure.NoHost("kubernetes.FakeGet")
	}
	return FakeGet(apiVersion, kind, namespace, name)
}

func list(apiVersion, kind, namespace, selector string) ([]string, error) {
	if FakeList == nil {
		return nil, failure.NoHost("kubernetes.FakeList")
	}
	return FakeList(apiVersion, kind, namespace, selector)
}
