// The real etcd server of the version that go.mod pins, as a program of our own: a test tool, never shipped.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
