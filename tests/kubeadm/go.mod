// Only says that this folder is a module: the versions are in a folder's go.mod, chosen by `go build -modfile v1.36/go.mod`.
module runner.test/kubeadm

go 1.26.0
