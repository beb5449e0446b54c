// The real kubeadm of the version that go.mod pins, as a program of our own: a test tool, never shipped.
package main

import (
	"os"

	"k8s.io/kubernetes/cmd/kubeadm/app"
)

func main() {
	if app.Run() != nil {
		os.Exit(1)
	}
}
