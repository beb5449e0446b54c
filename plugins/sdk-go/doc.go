// Package plugin is for writing runner plugins in Go: checks, promotion criteria and notifiers, in plain Go of any release since 1.24.
//
// A plugin registers what it has from an init function or from package variables; main stays empty. This is a whole one:
//
//	package main
//
//	import "runner.dev/plugin"
//
//	type Settings struct {
//		MaxLag uint64 `json:"maxLag"`
//	}
//
//	var settings = plugin.Settings(Settings{MaxLag: 100})
//
//	func init() { plugin.Promotion(smallLag) }
//
//	func main() {}
//
//	func smallLag(c *plugin.Cluster, candidate *plugin.Member, window *plugin.Samples) (plugin.Verdict, error) {
//		newest, ok := window.Newest()
//		if !ok || newest.Lag() > settings().MaxLag {
//			return plugin.Wait("%s is too far behind", candidate.Name()), nil
//		}
//		return plugin.Approve(), nil
//	}
//
// `runner plugin build` makes a component of it. What a function returns as an error, and what it panics with, arrives at the
// operator as the plugin's error.
//
// # What there is, and what not
//
// A plugin sees facts and says what it makes of them. Beyond the facts it has what the operator grants it, each in a package of
// its own: random, http, kubernetes, probes, etcd, secrets. There are no files, no sockets, no environment and no arguments.
// What is printed, to standard output or error, becomes lines of the plugin's log.
//
// Go's own clock is a virtual one: it starts at the same moment in each call, and jumps over sleeps, timeouts and tickers at once.
// [Now] is the time. `crypto/rand` ends the plugin unless the package random is imported; then its bytes come from the host.
//
// Goroutines work, and end with the call: each call runs in a fresh instance.
//
// # Tests
//
// The package builds on any machine, so `go test` tests a plugin's logic; runner.dev/plugin/plugintest makes up facts for it.
package plugin
