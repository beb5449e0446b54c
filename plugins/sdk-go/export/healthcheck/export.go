//go:build wasm

// Package healthcheck puts the export of that name into a component. `runner plugin build` imports it where the project has the role.
package healthcheck

import _ "runner.dev/plugin/internal/wit/exports/healthcheck"
