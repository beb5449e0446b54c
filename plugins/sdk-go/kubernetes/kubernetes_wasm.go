//go:build wasm

package kubernetes

import (
	"runner.dev/plugin/internal/host"
	wit "runner.dev/plugin/internal/wit/runner_plugin_kubernetes"
)

func get(apiVersion, kind, namespace, name string) (string, bool, error) {
	object, err := host.Take(wit.Get(apiVersion, kind, host.Text(namespace), name))
	text, there := object.Get()
	return text, there, err
}

func list(apiVersion, kind, namespace, selector string) ([]string, error) {
	return host.Take(wit.ListObjects(apiVersion, kind, host.Text(namespace), host.Text(selector)))
}
