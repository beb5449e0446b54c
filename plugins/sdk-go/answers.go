package plugin

import (
	"encoding/json"
	"fmt"
	"time"
)

// Severity says how bad a finding is.
type Severity uint8

// One finding of severity [Error] refuses the join.
const (
	Info Severity = iota
	Warning
	Error
)

// Finding is something that a check has to say.
type Finding struct {
	Severity Severity
	// A short stable identifier in kebab-case, for example version-skew.
	Code string
	// What is the case, in one sentence.
	Message string
	// What a person can do about it; may be empty.
	Remedy string
	// The id of the member that it is about; may be empty.
	Member string
}

// Verdict is what a promotion criterion says: [Approve], [Wait] or [Reject].
type Verdict struct {
	kind       verdictKind
	reason     string
	retryAfter time.Duration
}

type verdictKind uint8

const (
	// The zero verdict says nothing, and is refused: nobody approves by forgetting to answer.
	noVerdict verdictKind = iota
	approve
	wait
	reject
)

// Approve says that the candidate may become a voter.
func Approve() Verdict { return Verdict{kind: approve} }

// Wait says that it may not yet; the reason is shown to the operator. Asked again with the next sample.
func Wait(format string, args ...any) Verdict { return Verdict{kind: wait, reason: text(format, args)} }

// Reject gives up: the join is undone.
func Reject(format string, args ...any) Verdict {
	return Verdict{kind: reject, reason: text(format, args)}
}

// RetryAfter says when to ask again after a [Wait]; whole milliseconds count.
func (v Verdict) RetryAfter(d time.Duration) Verdict {
	v.retryAfter = d
	return v
}

// String is the verdict for people and for tests, for example: wait (500ms): 3 of 5 samples.
func (v Verdict) String() string {
	switch {
	case v.kind == approve:
		return "approve"
	case v.kind == wait && v.retryAfter > 0:
		return "wait (" + v.retryAfter.String() + "): " + v.reason
	case v.kind == wait:
		return "wait: " + v.reason
	case v.kind == reject:
		return "reject: " + v.reason
	}
	return "no verdict"
}

func text(format string, args []any) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// Event is something that happened.
type Event struct {
	// What happened, in kebab-case, for example join-finished. New kinds may appear in any release: ignore unknown ones.
	Kind string
	// When.
	Time time.Time
	// The event's details as one JSON object.
	JSON string
}

// Details reads the event's details into a value, as encoding/json does.
func (e Event) Details(into any) error { return json.Unmarshal([]byte(e.JSON), into) }
