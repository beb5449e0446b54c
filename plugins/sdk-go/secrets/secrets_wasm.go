//go:build wasm

package secrets

import (
	"runner.dev/plugin/internal/host"
	wit "runner.dev/plugin/internal/wit/runner_plugin_secrets"
)

func reveal(name string) (string, error) {
	secret, err := host.Take(wit.Get(name))
	if err != nil {
		return "", err
	}
	defer secret.Drop()
	return secret.Reveal(), nil
}
