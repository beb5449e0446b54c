package main

import (
	"slices"
	"testing"

	"runner.dev/plugin/plugintest"
)

// steady is a window of samples with these lags, one leader and one term.
func steady(lags ...uint64) []plugintest.Sample {
	var window []plugintest.Sample
	for _, lag := range lags {
		window = append(window, plugintest.Sample{Lag: lag, Leader: "8e9e05c52164694d", Term: 2})
	}
	return window
}

func with(window []plugintest.Sample, i int, change func(*plugintest.Sample)) []plugintest.Sample {
	change(&window[i])
	return window
}

func TestVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		window []plugintest.Sample
		want   string
	}{
		"kept up":          {steady(0, 1, 100, 0, 7), "approve"},
		"old trouble":      {with(steady(900, 0, 0, 0, 0, 0), 0, func(s *plugintest.Sample) { s.Unreachable = true }), "approve"},
		"none":             {nil, "wait (500ms): 0 of 5 samples"},
		"too few":          {steady(0, 0, 0, 0), "wait (500ms): 4 of 5 samples"},
		"silent before":    {with(steady(0, 0, 0, 0, 900), 2, func(s *plugintest.Sample) { s.Unreachable = true }), "wait (500ms): does not answer"},
		"newest lag first": {steady(0, 0, 500, 101, 0), "wait (500ms): 101 entries behind, at most 100 allowed"},
		"other leader":     {with(steady(0, 0, 0, 0, 0), 3, func(s *plugintest.Sample) { s.Leader = "91bc3c398fb3c146" }), "wait (500ms): the leader changed"},
		"no leader":        {with(steady(0, 0, 0, 0, 0), 4, func(s *plugintest.Sample) { s.Leader = "" }), "wait (500ms): the leader changed"},
		"five elections":   {with(steady(0, 0, 0, 0, 0), 4, func(s *plugintest.Sample) { s.Term = 7 }), "approve"},
		"six elections":    {with(steady(0, 0, 0, 0, 0), 4, func(s *plugintest.Sample) { s.Term = 8 }), "reject: elections all the time: 6 terms"},
		"six and too few":  {with(steady(0, 0), 1, func(s *plugintest.Sample) { s.Term = 8 }), "reject: elections all the time: 6 terms"},
	} {
		verdict, err := judge(nil, nil, plugintest.Samples(test.window...))
		if err != nil || verdict.String() != test.want {
			t.Errorf("%s: %v, %v; not %q", name, verdict, err, test.want)
		}
	}
}

func TestSettings(t *testing.T) {
	plugintest.UseSettings(t, `{"maxLag": 0, "samples": 2}`)
	if verdict, _ := judge(nil, nil, plugintest.Samples(steady(9, 0, 0)...)); verdict.String() != "approve" {
		t.Error(verdict)
	}
	paths := func(settings string) (paths []string) {
		for _, problem := range plugintest.Problems(settings) {
			paths = append(paths, problem.Path)
		}
		return paths
	}
	for settings, want := range map[string][]string{
		`{}`: nil, `{"maxLag": 0, "samples": 100}`: nil,
		`{"maxLag": -1, "samples": 1}`: {"maxLag", "samples"}, `{"samples": 101}`: {"samples"},
		`{"maxlag": 1}`: {"maxlag"}, `{"samples": 2.5}`: {"samples"}, `[]`: {""},
	} {
		if found := paths(settings); !slices.Equal(found, want) {
			t.Errorf("%s: %q, not %q", settings, found, want)
		}
	}
}
