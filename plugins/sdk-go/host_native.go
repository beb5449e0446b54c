//go:build !wasm

package plugin

import (
	"time"

	"runner.dev/plugin/internal/hook"
)

func say(level, message string) { hook.Log(level, message) }

func now() time.Time { return hook.Now }
