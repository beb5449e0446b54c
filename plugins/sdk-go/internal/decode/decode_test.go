package decode

import (
	"reflect"
	"testing"
	"time"
)

type settings struct {
	MaxLag  uint64            `json:"maxLag"`
	Samples int8              `json:"samples"`
	Share   float64           `json:"share"`
	Strict  *bool             `json:"strict"`
	Hosts   []string          `json:"hosts"`
	Window  window            `json:"window"`
	Labels  map[string]string `json:"labels"`
	Since   time.Time         `json:"since"`
	Any     any               `json:"any"`
	Hidden  string            `json:"-"`
	private int
}

type window struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

func TestWhatIsNamedIsReadAndTheRestStays(t *testing.T) {
	s := settings{MaxLag: 100, Samples: 5, Window: window{End: 9}}
	text := `{"maxLag": 18446744073709551615, "share": 1e-3, "strict": true, "hosts": ["a", "b"], "window": {"start": 4},
		"labels": {"k": "v"}, "since": "2026-01-01T00:00:00Z", "any": {"n": [1, null]}}`
	if problems := Into(text, &s); problems != nil {
		t.Fatal(problems)
	}
	strict := true
	want := settings{
		MaxLag: 18446744073709551615, Samples: 5, Share: 1e-3, Strict: &strict, Hosts: []string{"a", "b"}, Window: window{4, 9},
		Labels: map[string]string{"k": "v"}, Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Any: map[string]any{"n": []any{1.0, nil}},
	}
	if !reflect.DeepEqual(s, want) {
		t.Fatalf("%+v", s)
	}
}

func TestEverythingWrongIsNamedByItsPath(t *testing.T) {
	for text, want := range map[string][]Problem{
		`{"maxLag": -1}`:     {{"maxLag", "expected a whole number, 0 or more, not -1"}},
		`{"maxLag": 1.5}`:    {{"maxLag", "expected a whole number, 0 or more, not 1.5"}},
		`{"maxLag": null}`:   {{"maxLag", "expected a whole number, 0 or more, not null"}},
		`{"samples": 200}`:   {{"samples", "expected a whole number from -128 to 127, not 200"}},
		`{"hosts": ["", 3]}`: {{"hosts[1]", "expected a text, not 3"}},
		`{"window": {"begin": 1, "end": "x"}}`: {
			{"window.begin", "unknown setting, expected one of start, end"}, {"window.end", `expected a whole number, not "x"`},
		},
		`{"labels": {"k": []}}`: {{"labels.k", "expected a text, not a list"}},
		`{"strict": "yes"}`:     {{"strict", `expected true or false, not "yes"`}},
		`3`:                     {{"", "expected a JSON object, not 3"}},
		`{} {}`:                 {{"", "expected one JSON object and nothing after it"}},
		``:                      {{"", "expected a JSON object: EOF"}},
	} {
		var s settings
		if problems := Into(text, &s); !reflect.DeepEqual(problems, want) {
			t.Errorf("%s: %+v", text, problems)
		}
	}
	// Names are exact, and what is not a setting cannot be set.
	for _, text := range []string{`{"maxlag": 1}`, `{"MaxLag": 1}`, `{"Hidden": "x"}`, `{"private": 1}`, `{"since": "now"}`} {
		var s settings
		if problems := Into(text, &s); len(problems) != 1 || !reflect.DeepEqual(s, settings{}) {
			t.Errorf("%s: %+v", text, problems)
		}
	}
}
