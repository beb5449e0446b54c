// Package kubernetes reads from the Kubernetes API, of the kinds and namespaces that the operator granted. It is the capability
// `kubernetes`. Objects come as JSON: read them with encoding/json into a struct of the fields that matter.
package kubernetes

// Get is one object as JSON; false where there is none. apiVersion and kind as in a manifest: v1 and Node, apps/v1 and
// Deployment. An empty namespace for kinds that have none. Errors are *plugin.Failure.
func Get(apiVersion, kind, namespace, name string) (string, bool, error) {
	return get(apiVersion, kind, namespace, name)
}

// List are objects as JSON, in the order of the API. An empty namespace for kinds that have none, and for all namespaces where
// that is granted. The selector is a label selector, app=etcd,tier!=x; it may be empty. Errors are *plugin.Failure.
func List(apiVersion, kind, namespace, selector string) ([]string, error) {
	return list(apiVersion, kind, namespace, selector)
}
