package plugin

import (
	"errors"
	"reflect"
	"slices"
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

// What [Settings] declared.
var (
	declared []declaration
	// Every name that one of them knows.
	knownSettings []string
	loadSettings  = func() error { return nil }
)

// declaration reads its part of the settings; the function that it returns makes them the current ones.
type declaration func(json string) ([]Problem, func())

// Settings declares the plugin's settings: a struct with their defaults, named as by encoding/json. Names are exact; what is not
// in the struct is a problem that the operator is told of before anything happens, as is a value of another type, and as is
// everything that validate returns.
//
//	var settings = plugin.Settings(Config{MaxLag: 100}, func(c Config) []plugin.Problem { … })
//
// The function that it returns gives the settings of the current call; before the first, the defaults. A plugin of several roles
// may call Settings for each of them: together they are all the settings that there are.
func Settings[T any](defaults T, validate ...func(T) []Problem) func() T {
	current := defaults
	knownSettings = append(knownSettings, decode.Names(reflect.TypeFor[T]())...)
	declared = append(declared, func(json string) ([]Problem, func()) {
		settings := defaults
		var problems []Problem
		for _, p := range decode.Into(json, &settings, knownSettings...) {
			problems = append(problems, Problem(p))
		}
		if problems == nil {
			for _, check := range validate {
				problems = append(problems, check(settings)...)
			}
		}
		return problems, func() { current = settings }
	})
	loadSettings = func() error {
		json := settingsFromHost()
		problems, commit := read(json)
		if len(problems) > 0 {
			return asError(problems)
		}
		commit()
		return nil
	}
	return func() T { return current }
}

func read(json string) (problems []Problem, commit func()) {
	var commits []func()
	for _, declaration := range declared {
		found, commit := declaration(json)
		for _, p := range found {
			// What nobody knows is found by each.
			if !slices.Contains(problems, p) {
				problems = append(problems, p)
			}
		}
		commits = append(commits, commit)
	}
	return problems, func() {
		for _, commit := range commits {
			commit()
		}
	}
}

func validateSettings(json string) []Problem {
	if declared != nil {
		problems, _ := read(json)
		return problems
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
