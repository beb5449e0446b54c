//go:build wasm

// Package promotion answers for the role of that name.
package promotion

import (
	"runner.dev/plugin/internal/registry"
	"runner.dev/plugin/internal/types"
	facts "runner.dev/plugin/internal/wit/runner_plugin_facts"
	promotion "runner.dev/plugin/internal/wit/runner_plugin_promotion"
)

// Evaluate asks the plugin.
func Evaluate(cluster *facts.Cluster, candidate *facts.Member, window *facts.Samples) types.Result[promotion.Verdict, string] {
	return registry.Call(func() (promotion.Verdict, error) { return registry.Promotion(cluster, candidate, window) },
		cluster.Drop, candidate.Drop, window.Drop)
}
