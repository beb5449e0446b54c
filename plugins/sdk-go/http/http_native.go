//go:build !wasm

package http

import "runner.dev/plugin/internal/failure"

// Fake answers in tests.
var Fake func(Request) (*Response, error)

func send(request Request) (*Response, error) {
	if Fake == nil {
		return nil, failure.NoHost("http.Fake")
	}
	return Fake(request)
}
