// Package failure has the error type of all capabilities.
package failure

// Failure says why a capability gave no answer.
type Failure struct {
	// What kind of trouble it was: plugin.Denied, plugin.Timeout, …
	Kind string
	// What happened, in one sentence.
	Message string
}

// Error is the sentence, after the kind.
func (f *Failure) Error() string { return f.Kind + ": " + f.Message }

// NoHost is what a capability answers in a test that has not said what it answers.
func NoHost(what string) error {
	return &Failure{"unavailable", "there is no host in a test: set " + what}
}
