package main

import (
	"fmt"
	"slices"
	"time"

	"runner.dev/plugin"
)

const (
	// A term is an election; so many in one window and the cluster is not fit for another voter.
	mostTerms = 5
	// When to ask again.
	again = 500 * time.Millisecond
)

// caughtUp is what an operator can set: the candidate has caught up once its newest samples are close to one and the same leader.
type caughtUp struct {
	// How many entries behind is close enough.
	MaxLag uint64 `json:"maxLag"`
	// How many of the newest samples must be good.
	Samples int `json:"samples"`
}

var criterion = plugin.Settings(caughtUp{MaxLag: 100, Samples: 5}, caughtUp.validate)

func init() {
	plugin.Promotion(func(_ *plugin.Cluster, _ *plugin.Member, window *plugin.Samples) (plugin.Verdict, error) {
		return criterion().judge(window), nil
	})
}

func (c caughtUp) validate() []plugin.Problem {
	if c.Samples < 2 || c.Samples > 100 {
		return []plugin.Problem{{Path: "samples", Message: fmt.Sprintf("%d is not in 2 to 100", c.Samples)}}
	}
	return nil
}

// judge is asked again with every sample. The same samples and settings must give the same verdict.
func (c caughtUp) judge(window *plugin.Samples) plugin.Verdict {
	if newest, ok := window.Newest(); ok {
		if terms := newest.Term() - min(newest.Term(), window.At(0).Term()); terms > mostTerms {
			return plugin.Reject("elections all the time: %d terms", terms)
		}
	}
	last := window.Last(c.Samples)
	if len(last) < c.Samples {
		return plugin.Wait("%d of %d samples", len(last), c.Samples).RetryAfter(again)
	}
	if slices.ContainsFunc(last, func(s plugin.Sample) bool { return !s.Reachable() }) {
		return plugin.Wait("does not answer").RetryAfter(again)
	}
	for _, sample := range slices.Backward(last) {
		if lag := sample.Lag(); lag > c.MaxLag {
			return plugin.Wait("%d entries behind, at most %d allowed", lag, c.MaxLag).RetryAfter(again)
		}
	}
	leader := last[0].Leader()
	if leader == "" || slices.ContainsFunc(last, func(s plugin.Sample) bool { return s.Leader() != leader }) {
		return plugin.Wait("the leader changed").RetryAfter(again)
	}
	return plugin.Approve()
}
