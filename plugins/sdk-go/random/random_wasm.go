//go:build wasm

package random

import random "runner.dev/plugin/internal/wit/runner_plugin_random"

// By this the build sees that crypto/rand is to be fed. It does nothing.
//
//go:wasmimport wasi_snapshot_preview1 runner_random
func feed()

func init() { feed() }

func bytes(n int) []byte { return random.Bytes(uint32(n)) }
