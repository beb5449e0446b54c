//go:build wasm

// Package host turns the bindings' results into Go's.
package host

import (
	"runner.dev/plugin/internal/failure"
	"runner.dev/plugin/internal/types"
	failures "runner.dev/plugin/internal/wit/runner_plugin_failures"
)

// Take returns the value or the failure.
func Take[T any](result types.Result[T, failures.Failure]) (T, error) {
	if result.Tag() == types.ResultErr {
		f := result.Err()
		return result.Ok(), &failure.Failure{Kind: f.Kind, Message: f.Message}
	}
	return result.Ok(), nil
}

// Text is an optional text of which the empty one is none.
func Text(text string) types.Option[string] {
	if text == "" {
		return types.None[string]()
	}
	return types.Some(text)
}
