//go:build wasm

package plugin

import (
	"strings"
	"time"

	clock "runner.dev/plugin/internal/wit/runner_plugin_clock"
	logging "runner.dev/plugin/internal/wit/runner_plugin_logging"
	settings "runner.dev/plugin/internal/wit/runner_plugin_settings"
)

func say(level, message string) {
	number := logging.LevelInfo
	switch level {
	case "debug":
		number = logging.LevelDebug
	case "warn":
		number = logging.LevelWarn
	case "error":
		number = logging.LevelError
	}
	logging.Log(number, strings.ToValidUTF8(message, "?"))
}

func now() time.Time { return fromMs(clock.NowMs()) }

func settingsFromHost() string { return settings.Get() }
