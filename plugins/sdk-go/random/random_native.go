//go:build !wasm

package random

import "crypto/rand"

// Fake answers in tests; by default with true random bytes.
var Fake = func(n int) []byte {
	made := make([]byte, n)
	_, _ = rand.Read(made)
	return made
}

func bytes(n int) []byte { return Fake(n) }
