package plugin

import "runner.dev/plugin/internal/failure"

// Kinds of a [Failure]. New kinds may appear in any release.
const (
	// Not granted, or not to this target.
	Denied = "denied"
	// Nobody is there.
	Unavailable = "unavailable"
	// It took too long.
	Timeout = "timeout"
	// It is not there.
	NotFound = "not-found"
	// The answer is larger than was granted.
	TooLarge = "too-large"
	// The question makes no sense.
	Invalid = "invalid"
	// Everything else.
	Failed = "failed"
)

// Failure says why a capability gave no answer. Every error of the packages http, kubernetes, probes, etcd and secrets is one:
//
//	var failure *plugin.Failure
//	if errors.As(err, &failure) && failure.Kind == plugin.Timeout { … }
type Failure = failure.Failure
