// Package secrets has the secrets that the operator named for this plugin. It is the capability `secrets`. Wherever a plugin says
// one again (a log line, a finding, an error), runner blots it out.
package secrets

// Reveal is the text of the secret of that name. Errors are *plugin.Failure.
func Reveal(name string) (string, error) { return reveal(name) }
