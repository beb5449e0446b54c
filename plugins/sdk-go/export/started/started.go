//go:build wasm

// Package started marks the end of a program's start. `runner plugin build` calls it after all other init functions.
package started

import "runner.dev/plugin/internal/runtime"

// Done says that the host will call now: goroutines that the program has started must not call it before.
func Done() { runtime.Close() }
