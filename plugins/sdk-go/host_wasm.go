//go:build wasm

package plugin

import (
	"time"

	clock "runner.dev/plugin/internal/wit/runner_plugin_clock"
	logging "runner.dev/plugin/internal/wit/runner_plugin_logging"
	settings "runner.dev/plugin/internal/wit/runner_plugin_settings"
	"strings"
)

func say(level, message string) {
	levels := map[string]logging.Level{
		"debug": logging.LevelDebug, "info": logging.LevelInfo, "warn": logging.LevelWarn, "error": logging.LevelError,
	}
	logging.Log(levels[level], strings.ToValidUTF8(message, "?"))
}

func now() time.Time { return fromMs(clock.NowMs()) }

func settingsFromHost() string { return settings.Get() }
