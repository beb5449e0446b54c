// Promotion criterion: the candidate has kept up for a while, with one leader throughout.
//
// It approves when the newest `samples` samples are there, the candidate answered in all of them and was at most `maxLag` entries
// behind, and the leader stayed the same. It gives up when there were more than five elections in the whole window.
package main

import (
	"fmt"
	"slices"
	"time"

	"runner.dev/plugin"
)

// Settings are what the operator may set.
type Settings struct {
	// How many entries behind is close enough.
	MaxLag int64 `json:"maxLag"`
	// How many samples in a row.
	Samples int `json:"samples"`
}

const (
	// The most elections in a window that are bad luck and not "all the time".
	mostElections = 5
	// A verdict of "wait" asks to be asked again after this.
	again = 500 * time.Millisecond
)

var settings = plugin.Settings(Settings{MaxLag: 100, Samples: 5}, validate)

func init() { plugin.Promotion(judge) }

func main() {}

func validate(s Settings) (problems []plugin.Problem) {
	if s.MaxLag < 0 {
		problems = append(problems, plugin.Problem{Path: "maxLag", Message: fmt.Sprintf("%d is below 0", s.MaxLag)})
	}
	if s.Samples < 2 || s.Samples > 100 {
		problems = append(problems, plugin.Problem{Path: "samples", Message: fmt.Sprintf("%d is not in 2 to 100", s.Samples)})
	}
	return problems
}

func judge(_ *plugin.Cluster, _ *plugin.Member, window *plugin.Samples) (plugin.Verdict, error) {
	return settings().judge(window), nil
}

func (s Settings) judge(window *plugin.Samples) plugin.Verdict {
	if newest, ok := window.Newest(); ok {
		if terms := newest.Term() - min(newest.Term(), window.At(0).Term()); terms > mostElections {
			return plugin.Reject("elections all the time: %d terms", terms)
		}
	}
	if reason := s.lacks(window.Last(s.Samples)); reason != "" {
		return plugin.Wait("%s", reason).RetryAfter(again)
	}
	return plugin.Approve()
}

// lacks says what the newest samples lack; empty where it is nothing.
func (s Settings) lacks(last []plugin.Sample) string {
	if len(last) < s.Samples {
		return fmt.Sprintf("%d of %d samples", len(last), s.Samples)
	}
	if slices.ContainsFunc(last, func(sample plugin.Sample) bool { return !sample.Reachable() }) {
		return "does not answer"
	}
	for _, sample := range slices.Backward(last) {
		if lag := sample.Lag(); lag > uint64(s.MaxLag) {
			return fmt.Sprintf("%d entries behind, at most %d allowed", lag, s.MaxLag)
		}
	}
	leader := last[0].Leader()
	if slices.ContainsFunc(last, func(sample plugin.Sample) bool { return sample.Leader() != leader || leader == "" }) {
		return "the leader changed"
	}
	return ""
}
