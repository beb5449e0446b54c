#!/bin/bash
# A control-plane node as process 1 of its own: it has the network, mounts, name and processes of its own that it was started in.
# Lays out its file system, starts containerd, and is its init and its service manager until its input ends: then the node is off.
#   $1  the node's folder: what lasts while it is off
#   $2  its name
#   $3  its group of control groups
#   $4  the folder of containerd's programs
#   $5  the folder of Kubernetes' programs
# The folder has:
#   etc, lib, opt      the node's own layers over /etc, /var/lib and /opt
#   kubelet-off        there while the kubelet is not to run, as after `systemctl stop kubelet`
#   kubelet-broken     there while it cannot run
#   kubelet-runs       there while it runs
#   bin/systemctl      what kubeadm and runner tell the service manager by, as far as it goes for the kubelet
#   kubelet.log, containerd.log
set -eu
folder=$1 name=$2 group=$3 containerd=$4 kubernetes=$5
hostname "$name"
mount --make-rshared /

layer() {
    mkdir -p "$folder/$1/upper" "$folder/$1/work"
    mount -t overlay overlay -o "lowerdir=$2,upperdir=$folder/$1/upper,workdir=$folder/$1/work" "$2"
}
bind() {
    mkdir -p "$folder/$1" "$2"
    mount --bind "$folder/$1" "$2"
}
layer etc /etc
layer lib /var/lib
layer opt /opt
# containerd's layers cannot lie on a layer, and the kubelet's mounts have to be seen by both.
bind containerd /var/lib/containerd
bind kubelet /var/lib/kubelet
mount --make-rshared /var/lib/kubelet
bind log /var/log
# What does not outlast a node's being off.
mount -t tmpfs -o mode=755 tmpfs /run
cp "$folder/hosts" /etc/hosts
# May be a link into what is covered now. Refuses at once: the kubelet waits half a minute for one that does not answer.
rm -f /etc/resolv.conf
echo 'nameserver 127.0.0.1' >/etc/resolv.conf
mkdir -p /etc/cni/net.d /run/lock

# Kubelets with one root would end each other's pods. With control groups of version 1 a new group may use no processor and no memory
# until it is told which.
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -e "$hierarchy/cgroup.procs" ] || continue
    mkdir -p "$hierarchy/$group"
    for set in cpuset.cpus cpuset.mems; do
        [ ! -e "$hierarchy/$set" ] || cat "$hierarchy/$set" >"$hierarchy/$group/$set"
    done
done

mkdir -p "$folder/bin"
cat >"$folder/bin/systemctl" <<END
#!/bin/sh
verb=\$1
shift
for unit in "\$@"; do case \$unit in -*) ;; kubelet | kubelet.service) ;; *) echo "Unit \$unit could not be found." >&2; exit 5 ;; esac; done
off() { : >"$folder/kubelet-off"; while [ -e "$folder/kubelet-runs" ]; do sleep 0.1; done; }
on() { rm -f "$folder/kubelet-off"; }
active() { if [ -e "$folder/kubelet-runs" ]; then echo active; else echo inactive; return 3; fi; }
case \$verb in
daemon-reload | enable | disable | reset-failed) ;;
start) on ;;
stop) off ;;
restart) off; on ;;
is-active) active ;;
is-enabled) echo enabled ;;
status) echo "kubelet.service - loaded"; active ;;
show) echo "ActiveState=\$(active)"; echo "FragmentPath=$folder/bin/systemctl" ;;
*) echo "systemctl \$verb is not known here" >&2; exit 1 ;;
esac
END
chmod 755 "$folder/bin/systemctl"

export PATH=$folder/bin:$containerd:$kubernetes:$PATH
containerd --config "$folder/containerd.toml" >>"$folder/containerd.log" 2>&1 &
ready=0
for _ in $(seq 300); do
    if ctr --address /run/containerd/containerd.sock version >/dev/null 2>&1; then
        ready=1
        break
    fi
    sleep 0.1
done
[ $ready = 1 ] || { echo "containerd does not answer: $(tail -n 3 "$folder/containerd.log")"; exit 1; }
if [ ! -e "$folder/has-images" ]; then
    ctr --address /run/containerd/containerd.sock --namespace k8s.io images import "$kubernetes/images.tar" >>"$folder/containerd.log" 2>&1 ||
        { echo "the images cannot be imported: $(tail -n 3 "$folder/containerd.log")"; exit 1; }
    : >"$folder/has-images"
fi
echo ready

# As kubeadm's unit for systemd does it: the kubelet runs when it has its configuration.
kubelet=''
rm -f "$folder/kubelet-runs"
runs() { [ -n "$kubelet" ] && kill -0 "$kubelet" 2>/dev/null; }
while true; do
    if [ -e /var/lib/kubelet/config.yaml ] && [ ! -e "$folder/kubelet-off" ] && [ ! -e "$folder/kubelet-broken" ]; then
        if ! runs; then
            KUBELET_KUBEADM_ARGS=''
            [ ! -e /var/lib/kubelet/kubeadm-flags.env ] || . /var/lib/kubelet/kubeadm-flags.env
            kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf \
                --config=/var/lib/kubelet/config.yaml --cgroup-root="/$group" $KUBELET_KUBEADM_ARGS >>"$folder/kubelet.log" 2>&1 &
            kubelet=$!
            : >"$folder/kubelet-runs"
        fi
    elif runs; then
        kill "$kubelet"
        wait "$kubelet" || true
        kubelet=''
        rm -f "$folder/kubelet-runs"
    fi
    # A fifth of a second, or the end of the input.
    read -r -t 0.2 _ || [ $? -gt 128 ] || exit 0
done
