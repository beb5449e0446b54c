//go:build wasm

// Package configuration answers for the interface of that name.
package configuration

import (
	"runner.dev/plugin/internal/registry"
	"runner.dev/plugin/internal/types"
	configuration "runner.dev/plugin/internal/wit/runner_plugin_configuration"
)

// Validate returns every problem of the settings.
func Validate(settings string) []configuration.Problem {
	result := registry.Call(func() ([]configuration.Problem, error) {
		if registry.Validate == nil {
			return nil, nil
		}
		return registry.Validate(settings), nil
	})
	if result.Tag() == types.ResultErr {
		return []configuration.Problem{{Message: result.Err()}}
	}
	return result.Ok()
}
