//go:build !wasm

package plugin_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"runner.dev/plugin"
	"runner.dev/plugin/http"
	"runner.dev/plugin/plugintest"
)

// The settings of another role.
var words = plugin.Settings(struct {
	Prefix string `json:"prefix"`
}{"runner"})

type limits struct {
	MaxLag uint64 `json:"maxLag"`
}

var settings = plugin.Settings(limits{MaxLag: 100}, func(l limits) []plugin.Problem {
	if l.MaxLag == 13 {
		return []plugin.Problem{{Path: "maxLag", Message: "13 is unlucky"}}
	}
	return nil
})

func TestSettingsHaveDefaultsAndProblems(t *testing.T) {
	if settings().MaxLag != 100 {
		t.Fatal(settings())
	}
	plugintest.UseSettings(t, `{"maxLag": 7, "prefix": "p"}`)
	if settings().MaxLag != 7 || words().Prefix != "p" {
		t.Fatal(settings())
	}
	for text, want := range map[string][]plugin.Problem{
		`{}`:                         nil,
		`{"maxLag": 0, "prefix": 1}`: {{Path: "prefix", Message: "expected a text, not 1"}},
		`{"maxLag": 13}`:             {{Path: "maxLag", Message: "13 is unlucky"}},
		`{"maxlag": 13}`:             {{Path: "maxlag", Message: "unknown setting, expected one of prefix, maxLag"}},
	} {
		if found := plugintest.Problems(text); !slices.Equal(found, want) {
			t.Errorf("%s: %v", text, found)
		}
	}
}

func TestFactsAreRead(t *testing.T) {
	c := plugintest.Cluster{Members: []plugintest.Member{
		{Name: "a", Reachable: true, Version: "3.5.16", RoundTrip: time.Millisecond}, {Name: "b", Reachable: true, Leader: true},
		{Name: "c"}, {Name: "d", Role: plugin.Learner},
	}}.Build()
	if c.Leader().Name() != "b" || c.Quorum() != 2 || c.FaultTolerance() != 0 || len(c.Members()) != 4 {
		t.Fatal(c)
	}
	if _, ok := c.Members()[2].Version(); ok {
		t.Fatal("c does not answer")
	}
	if took, ok := c.Members()[0].RoundTrip(); !ok || took != time.Millisecond {
		t.Fatal(took)
	}
	if (plugintest.Cluster{}).Build().Leader() != nil {
		t.Fatal("there is no leader")
	}
}

func TestWindowsHaveAnEnd(t *testing.T) {
	window := plugintest.Samples(plugintest.Sample{Lag: 1}, plugintest.Sample{Lag: 2}, plugintest.Sample{LeaderIndex: 9, AppliedIndex: 6})
	var lags []uint64
	for _, sample := range window.Last(2) {
		lags = append(lags, sample.Lag())
	}
	for sample := range window.All() {
		lags = append(lags, sample.Lag())
	}
	if !slices.Equal(lags, []uint64{2, 3, 1, 2, 3}) || len(window.Last(9)) != 3 || len(window.Last(-1)) != 0 {
		t.Fatal(lags)
	}
	if newest, ok := window.Newest(); !ok || newest.Lag() != 3 {
		t.Fatal(newest)
	}
	if _, ok := plugintest.Samples().Newest(); ok {
		t.Fatal("there is none")
	}
}

func TestVerdictsSayThemselves(t *testing.T) {
	for want, v := range map[string]plugin.Verdict{
		"approve":           plugin.Approve(),
		"wait: 100%":        plugin.Wait("100%"),
		"wait (500ms): 3":   plugin.Wait("%d", 3).RetryAfter(500 * time.Millisecond),
		"reject: elections": plugin.Reject("elections"),
		"no verdict":        {},
	} {
		if v.String() != want {
			t.Errorf("%q, not %q", v, want)
		}
	}
}

func TestTheLogIsReadable(t *testing.T) {
	var lines []string
	plugintest.Log(t, func(level, message string) { lines = append(lines, level+" "+message) })
	plugin.Infof("%d members", 3)
	plugin.Logger().With("run", 1).WithGroup("m").Warn("slow", "name", "node 1", slog.Group("rtt", "us", 7), "empty", "")
	want := []string{"info 3 members", `warn slow run=1 m.name="node 1" m.rtt.us=7 m.empty=""`}
	if !slices.Equal(lines, want) {
		t.Fatal(lines)
	}
}

func TestCapabilitiesAreFaked(t *testing.T) {
	if _, err := http.Get("https://a.test"); err == nil || err.Error() != "unavailable: there is no host in a test: set http.Fake" {
		t.Fatal(err)
	}
	http.Fake = func(r http.Request) (*http.Response, error) {
		return &http.Response{Status: 200, Headers: []http.Header{{Name: "x", Value: r.Method}}}, nil
	}
	defer func() { http.Fake = nil }()
	if response, err := http.Get("https://a.test"); err != nil || response.Header("x") != "GET" {
		t.Fatal(err)
	}
}
