//go:build wasm

// Package registry keeps what a plugin registered, and guards each call of it.
package registry

import (
	"fmt"
	"runtime/debug"

	witruntime "runner.dev/plugin/internal/runtime"
	"runner.dev/plugin/internal/types"
	configuration "runner.dev/plugin/internal/wit/runner_plugin_configuration"
	facts "runner.dev/plugin/internal/wit/runner_plugin_facts"
	health "runner.dev/plugin/internal/wit/runner_plugin_health_check"
	logging "runner.dev/plugin/internal/wit/runner_plugin_logging"
	notifier "runner.dev/plugin/internal/wit/runner_plugin_notifier"
	promotion "runner.dev/plugin/internal/wit/runner_plugin_promotion"
)

// What the plugin registered; set by the package plugin.
var (
	HealthCheck func(*facts.Cluster, *facts.Newcomer) ([]health.Finding, error)
	Promotion   func(*facts.Cluster, *facts.Member, *facts.Samples) (promotion.Verdict, error)
	Notifier    func([]notifier.Event) error
	Validate    func(string) []configuration.Problem
)

// Call runs one call to the plugin: its panic becomes an error, with the stack in the log, and the handles that it was given
// are dropped.
func Call[T any](f func() (T, error), drops ...func()) (result types.Result[T, string]) {
	witruntime.Open()
	defer witruntime.Close()
	defer func() {
		if thrown := recover(); thrown != nil {
			logging.Log(logging.LevelError, string(debug.Stack()))
			result = types.Err[T](fmt.Sprintf("panic: %v", thrown))
		}
		for _, drop := range drops {
			drop()
		}
	}()
	value, err := f()
	if err != nil {
		return types.Err[T](err.Error())
	}
	return types.Ok[T, string](value)
}
