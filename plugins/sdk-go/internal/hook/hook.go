// Package hook lets plugintest reach into the package plugin, in tests without WebAssembly.
package hook

import (
	"runner.dev/plugin/internal/source"
	"time"
)

// Makers of the package plugin's types, and its settings.
var (
	Cluster  func(source.Cluster) any
	Member   func(source.Member) any
	Newcomer func(source.Newcomer) any
	Samples  func(source.Samples) any
	Validate func(settings string) any
	Load     func(settings string) error
)

// What the host would answer.
var (
	Settings = "{}"
	Now      = time.UnixMilli(1_767_225_600_000).UTC()
	Log      = func(level, message string) { println(level + ": " + message) }
)
