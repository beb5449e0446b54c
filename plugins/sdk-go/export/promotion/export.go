//go:build wasm

// Package promotion puts the export of that name into a component. `runner plugin build` imports it where the project has the role.
package promotion

import _ "runner.dev/plugin/internal/wit/exports/promotion"
