//go:build wasm

// Package notifier answers for the role of that name.
package notifier

import (
	"runner.dev/plugin/internal/registry"
	"runner.dev/plugin/internal/types"
	notifier "runner.dev/plugin/internal/wit/runner_plugin_notifier"
)

// Notify asks the plugin.
func Notify(events []notifier.Event) types.Result[types.Unit, string] {
	return registry.Call(func() (types.Unit, error) { return types.Unit{}, registry.Notifier(events) })
}
