package main

import (
	"testing"

	"runner.dev/plugin/plugintest"
)

func TestFiveCloseSamplesAreEnough(t *testing.T) {
	for want, lags := range map[string][]uint64{
		"approve": {9000, 100, 7, 0, 3, 100},
		"wait (500ms): 101 entries behind, at most 100 allowed": {0, 900, 0, 101, 0},
	} {
		var window []plugintest.Sample
		for _, lag := range lags {
			window = append(window, plugintest.Sample{Lag: lag, Leader: "8e9e05c52164694d", Term: 2})
		}
		if verdict := criterion().judge(plugintest.Samples(window...)); verdict.String() != want {
			t.Errorf("%v: %v", lags, verdict)
		}
	}
}
