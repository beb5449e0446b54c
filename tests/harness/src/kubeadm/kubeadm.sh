#!/bin/sh
# A stand-in for kubeadm on a control-plane node that joins. Which phases there are, and which names may be skipped, is what the real
# one of that version says of itself (tests/kubeadm); of what they do it does the files and the refusals, so that a test can let each phase
# fail. The joins themselves are held against the real one in tests/e2e/tests/real_node. The folder of this file has:
#   said/        what the real kubeadm says of itself
#   pki/         the certificates of this node's etcd; kubeconfig, the cluster's admin.conf; image, etcd's image
#   pki-dir      where the certificates go: a file that names the folder
#   asked        every line that it was asked; ran, every phase that ran
#   fail-PHASE   there while that phase is to fail
set -eu
here=$(dirname "$0")
kubernetes=/etc/kubernetes
echo "$*" >>"$here/asked"

case $1 in
version) exec cat "$here/said/version.json" ;;
config)
    echo registry.k8s.io/kube-apiserver:v1.0.0
    exec cat "$here/image"
    ;;
join) ;;
*)
    echo "unknown command \"$1\" for \"kubeadm\"" >&2
    exit 1
    ;;
esac

config='' skip=''
for word in "$@"; do
    case $word in
    --config=*) config=${word#--config=} ;;
    --skip-phases=*) skip=${word#--skip-phases=} ;;
    esac
done
[ -r "$config" ] || { echo "unable to read config from \"$config\"" >&2; exit 1; }
for phase in $(echo "$skip" | tr , ' '); do
    grep -qx -- "$phase" "$here/said/skippable.txt" || { echo "invalid phase name: $phase" >&2; exit 1; }
done

skipped() { case ",$skip," in *",$1,"*) true ;; *) false ;; esac; }
failed() {
    echo "error execution phase $1: $2" >&2
    echo 'To see the stack trace of this error execute with --v=5 or higher' >&2
    exit 1
}
# In the place of the whole node: the test starts and watches the kubelet.
kubelet_start() {
    cp "$here/kubeconfig" $kubernetes/bootstrap-kubelet.conf
    : >"$here/kubelet-runs"
}
kubelet_wait_bootstrap() {
    waited=0
    until [ -e $kubernetes/kubelet.conf ]; do
        [ $((waited += 1)) -le 600 ] || failed kubelet-wait-bootstrap 'the kubelet is not bootstrapped'
        sleep 0.1
    done
    rm -f $kubernetes/bootstrap-kubelet.conf
}
etcd_runs() { [ -e $kubernetes/manifests/etcd.yaml ] || failed "$1" 'no etcd on this node'; }

run() {
    skipped "$1" && return
    if [ -e "$here/fail-$1" ]; then failed "$1" 'the test wants it so'; fi
    echo "[$1] done by the stand-in"
    echo "$1" >>"$here/ran"
    case $1 in
    preflight)
        for file in manifests/kube-apiserver.yaml kubelet.conf; do
            [ ! -e $kubernetes/$file ] || failed preflight "$file already exists"
        done
        ;;
    control-plane-prepare)
        pki=$(cat "$here/pki-dir")
        mkdir -p "$pki" $kubernetes/manifests
        cp -R "$here/pki/." "$pki/"
        cp "$here/kubeconfig" $kubernetes/admin.conf
        echo '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kube-apiserver", "namespace": "kube-system"}}' \
            >$kubernetes/manifests/kube-apiserver.yaml
        ;;
    kubelet-start) kubelet_start ;;
    kubelet-wait-bootstrap) kubelet_wait_bootstrap ;;
    etcd-join) failed etcd-join 'etcd would join twice' ;;
    control-plane-join)
        grep -qx control-plane-join/etcd "$here/said/skippable.txt" && ! skipped control-plane-join/etcd &&
            failed control-plane-join/etcd 'etcd would join twice'
        etcd_runs control-plane-join
        ;;
    wait-control-plane) etcd_runs wait-control-plane ;;
    esac
}

# Those within others have a slash. The help leaves the hidden ones out, this list does not.
for phase in $(grep -v / "$here/said/skippable.txt"); do
    run "$phase"
done
echo
echo 'This node has joined the cluster and a new control plane instance was created:'
echo '* A new etcd member was added to the local/stacked etcd cluster.'
