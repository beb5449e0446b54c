//go:build !wasm

package plugin

import (
	"runner.dev/plugin/internal/hook"
	"runner.dev/plugin/internal/source"
)

func registerHealthCheck(func(*Cluster, *Newcomer) ([]Finding, error)) {}

func registerPromotion(func(*Cluster, *Member, *Samples) (Verdict, error)) {}

func registerNotifier(func([]Event) error) {}

func settingsFromHost() string { return hook.Settings }

// What plugintest makes facts with.
func init() {
	hook.Cluster = func(from source.Cluster) any { return &Cluster{from: from} }
	hook.Member = func(from source.Member) any { return &Member{from} }
	hook.Newcomer = func(from source.Newcomer) any { return &Newcomer{from} }
	hook.Samples = func(from source.Samples) any { return &Samples{from} }
	hook.Validate = func(settings string) any { return validateSettings(settings) }
	hook.Load = func(settings string) error {
		hook.Settings = settings
		return loadSettings()
	}
}
