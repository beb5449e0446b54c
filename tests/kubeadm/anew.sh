#!/bin/sh
# Makes what is kept of one kubeadm version: tests/kubeadm/anew.sh tests/kubeadm/v1.33
# Builds the real kubeadm of that folder's go.mod with Go, asks it, and changes nothing outside the folder.
set -eu
folder=$(cd "$1" && pwd)
configs=$(cd "$(dirname "$0")/configs" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
version=$(sed -n 's,^[[:space:]]*k8s.io/kubernetes \(v[^ ]*\).*,\1,p' "$folder/go.mod")
minor=${version#v1.}
minor=${minor%%.*}
stamp=k8s.io/component-base/version
(cd "$folder/.." && CGO_ENABLED=0 GOWORK=off go build -modfile "$folder/go.mod" -trimpath -buildvcs=false -o "$scratch/kubeadm" \
    -ldflags "-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor" k8s.io/kubernetes/cmd/kubeadm)
"$scratch/kubeadm" version -o json > "$folder/version.json"
"$scratch/kubeadm" join --help 2>/dev/null | sed -n '/^```$/,/^```$/p' | sed '/^```$/d' > "$folder/join-phases.txt"
# Which names it takes for phases to skip: it checks them before it does anything, and stops at the first that it does not know.
: > "$folder/skippable.txt"
for phase in preflight control-plane-prepare check-etcd kubelet-start etcd-join kubelet-wait-bootstrap control-plane-join \
    control-plane-join/etcd control-plane-join/mark-control-plane wait-control-plane; do
    "$scratch/kubeadm" join --skip-phases="$phase,no-such-phase" --cri-socket unix:///none --token abcdef.0123456789abcdef \
        --discovery-token-unsafe-skip-ca-verification 127.0.0.1:1 > "$scratch/said" 2>&1 || true
    if grep -q "^invalid phase name: no-such-phase" "$scratch/said"; then echo "$phase" >> "$folder/skippable.txt"; fi
done
for config in "$configs"/*.yaml; do
    name=$(basename "$config" .yaml)
    sed "s/@MINOR@/$minor/" "$config" > "$scratch/config.yaml"
    KUBEADM_INIT_DRYRUN_DIR="$scratch" "$scratch/kubeadm" init phase etcd local --config "$scratch/config.yaml" --dry-run 2>/dev/null |
        sed '1,/^\[dryrun\] Would write file/d' > "$folder/$name.etcd.yaml"
done
