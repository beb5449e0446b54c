package plugin

import (
	"errors"
	"strings"

	"runner.dev/plugin/internal/decode"
)

// Problem is one thing that is wrong with the settings.
type Problem struct {
	// Where, as a path into the settings: maxLag, window.start, hosts[2]; empty for the whole.
	Path string
	// What is wrong and what would be right.
	Message string
}

// What the plugin's settings are, once [Settings] was called.
var (
	readSettings func(json string) []Problem
	loadSettings = func() error { return nil }
)

// Settings declares the plugin's settings: a struct with their defaults, named as by encoding/json. Names are exact; what is not
// in the struct is a problem that the operator is told of before anything happens, as is a value of another type, and as is
// everything that validate returns.
//
//	var settings = plugin.Settings(Settings{MaxLag: 100}, func(s Settings) []plugin.Problem { … })
//
// The function that it returns gives the settings of the current call; before the first, the defaults. Call Settings once.
func Settings[T any](defaults T, validate ...func(T) []Problem) func() T {
	current := defaults
	read := func(json string) (T, []Problem) {
		settings := defaults
		var problems []Problem
		for _, p := range decode.Into(json, &settings) {
			problems = append(problems, Problem(p))
		}
		if problems == nil {
			for _, check := range validate {
				problems = append(problems, check(settings)...)
			}
		}
		return settings, problems
	}
	if readSettings != nil {
		panic("plugin.Settings is called twice")
	}
	readSettings = func(json string) []Problem {
		_, problems := read(json)
		return problems
	}
	loadSettings = func() error {
		settings, problems := read(settingsFromHost())
		if len(problems) > 0 {
			return asError(problems)
		}
		current = settings
		return nil
	}
	return func() T { return current }
}

func validateSettings(json string) []Problem {
	if readSettings != nil {
		return readSettings(json)
	}
	inner, object := strings.CutPrefix(strings.TrimSpace(json), "{")
	if inner, closed := strings.CutSuffix(inner, "}"); object && closed && strings.TrimSpace(inner) == "" {
		return nil
	}
	return []Problem{{Message: "this plugin has no settings"}}
}

func asError(problems []Problem) error {
	var all []string
	for _, p := range problems {
		if p.Path == "" {
			all = append(all, p.Message)
		} else {
			all = append(all, p.Path+": "+p.Message)
		}
	}
	return errors.New("bad settings: " + strings.Join(all, "; "))
}
