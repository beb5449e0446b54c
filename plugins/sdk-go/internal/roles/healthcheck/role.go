//go:build wasm

// Package healthcheck answers for the role of that name.
package healthcheck

import (
	"runner.dev/plugin/internal/registry"
	"runner.dev/plugin/internal/types"
	facts "runner.dev/plugin/internal/wit/runner_plugin_facts"
	health "runner.dev/plugin/internal/wit/runner_plugin_health_check"
)

// Check asks the plugin.
func Check(cluster *facts.Cluster, newcomer *facts.Newcomer) types.Result[[]health.Finding, string] {
	return registry.Call(func() ([]health.Finding, error) { return registry.HealthCheck(cluster, newcomer) },
		cluster.Drop, newcomer.Drop)
}
