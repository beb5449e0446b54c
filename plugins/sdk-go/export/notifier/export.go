//go:build wasm

// Package notifier puts the export of that name into a component. `runner plugin build` imports it where the project has the role.
package notifier

import _ "runner.dev/plugin/internal/wit/exports/notifier"
