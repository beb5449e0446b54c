//go:build wasm

// Package configuration puts the export of that name into a component. `runner plugin build` imports it where the project has the role.
package configuration

import _ "runner.dev/plugin/internal/wit/exports/configuration"
