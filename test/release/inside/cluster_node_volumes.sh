#!/bin/bash
# What test/release/cluster_node_volumes.sh does in its guest: systemd runs, our packages lie beside this script, and the file `boot`
# tells which of two boots this is. Kubelet is test/release/node_kubelet.py.
# shellcheck source=/dev/null
source "$(dirname "$0")/tap.sh"
# shellcheck source=/dev/null
source "$(dirname "$0")/units.sh"
cd "$(dirname "$0")" || exit
# shellcheck source=test/release/inside/cloud.sh
source ./cloud.sh

units=(node-resource-manager csi-node)
kubelet_folder=/var/lib/kubelet  # whose mounts have a second name each, in the cloud's view of the node
pod=$kubelet_folder/pods/till-0/volumes/kubernetes.io~csi/pvc-till/mount

# The other end of its cable is the cloud, or nobody.
has_network() {
  ip link add eth0 type veth peer switch0 &&
    ip address add 192.168.1.11/24 dev eth0 &&
    ip link set eth0 up &&
    ip link set switch0 up
}

installs() { all_files >before && dpkg --install ./holdfast-csi_*.deb; }

cluster_is_made() {
  administer volumes_admin.py cluster && administer volumes_admin.py files &&
    runs_in_cloud controller.log "$tree/build/bin/csi-lvm" --mode=controller --endpoint="unix://$node/test/csi.sock" --namespace=kube-system \
      --kubeconfig="$node/test/controller.kubeconfig"
}

group_from_disks() {
  systemctl restart node-resource-manager &&
    with_journal node-resource-manager within 60 has_group &&
    [[ $(lvm_says vgs --options pv_count,vg_name) == "2 volumegroup1" ]]
}
has_group() { [[ -n $(lvm_says vgs volumegroup1) ]] && is_ready 11268; }
lvm_says() { "$1" --devicesfile holdfast.devices --noheadings "${@:2}" 2>/dev/null | xargs; }

# As kubelet, which sees the machine as the node's programs do.
kubelet() { "${machine[@]}" /usr/bin/python3 -B "$tree/test/release/node_kubelet.py" "$node" "$@"; }

registers() {
  mkdir -p "$kubelet_folder"/{pods,plugins_registry} &&
    systemctl restart csi-node &&
    with_journal csi-node serves_kubelet
}
serves_kubelet() { kubelet register && within 30 is_ready 11260; }

cloud_is_told() { with_journal csi-node administer volumes_admin.py told && administer volumes_admin.py bounded; }

pod_writes() {
  administer volumes_admin.py volume &&
    with_journal csi-node kubelet mount &&
    mountpoint "$pod" &&
    head -c 8M /dev/urandom >"$pod/ledger" && sync "$pod/ledger" &&
    sha256sum "$pod/ledger" >ledger.sum
}
pod_reads() { mountpoint "$pod" && sha256sum --check ledger.sum; }

# What a pod holds is there meanwhile, and kubelet may ask all of the new process.
survives_restarts() {
  local pid
  exec 4<"$pod/ledger"
  systemctl restart csi-node && serves_kubelet && pod_reads &&
    pid=$(systemctl show -P MainPID csi-node) && kill -KILL "$pid" &&
    with_journal csi-node within 30 runs_anew "$pid" &&
    serves_kubelet && pod_reads || return
  exec 4<&-
  kubelet unmount && fails mountpoint "$pod" && kubelet mount && pod_reads
}
runs_anew() { [[ $(systemctl is-active csi-node) == active && $(systemctl show -P MainPID csi-node) != "$1" ]]; }

goes_on_without_cloud() {
  cloud_ends && systemctl restart "${units[@]}" && serves_kubelet && has_group &&
    kubelet unmount && kubelet mount && pod_reads
}

has_booted() {
  machine_is_seen && with_journal node-resource-manager within 60 has_group && with_journal csi-node serves_kubelet &&
    [[ $(systemctl is-active "${units[@]}" | sort -u) == active ]]
}

volume_is_back() { fails mountpoint "$pod" && with_journal csi-node kubelet mount && pod_reads; }

# A kernel of now, which tells this process that it is Linux 2.6: its personality, which the unit locks otherwise.
refuses_old_kernel() {
  local drop_in=/run/systemd/system/csi-node.service.d
  mkdir -p "$drop_in" &&
    printf '[Service]\nLockPersonality=no\nExecStart=\nExecStart=/usr/bin/setarch --uname-2.6 /usr/lib/holdfast/csi-node\n' >"$drop_in/old.conf" &&
    systemctl daemon-reload && systemctl restart csi-node &&
    with_journal csi-node within 30 has_failed &&
    sleep 2 &&  # twice as long as until a start anew
    has_failed && fails is_ready 11260 &&
    [[ $(journalctl --no-pager --output=cat --unit csi-node) == *"volumes need Linux 4.18 or later: "*"storage.holdfast.dev/none="* ]] &&
    rm -r "$drop_in" && systemctl daemon-reload && systemctl restart csi-node && serves_kubelet
}
has_failed() { [[ $(for each in ActiveState ExecMainStatus NRestarts; do systemctl show -P "$each" csi-node; done | xargs) == "failed 3 0" ]]; }

# LVM and mount(8) bring the data back with nothing of ours there.
purge_leaves_data() {
  local volume
  kubelet unmount && dpkg --purge holdfast-csi && all_files >after &&
    comm -13 before after | fails grep -vE "^(/etc/(holdfast|lvm)|$kubelet_folder)(/|$)" &&
    volume=$(lvm_says lvs --options lv_name volumegroup1) &&
    lvchange --devicesfile holdfast.devices --activate y "volumegroup1/$volume" &&
    mkdir -p "$pod" && mount "/dev/volumegroup1/$volume" "$pod" && pod_reads
}

if [[ $(<boot) == online ]]; then
  plan 13
  check "an API server is there, with our manifests' roles and policies" eval "has_network && cloud_starts \
    csi-node-token=kube-system/csi-node@edge-1 controller-token=kube-system/csi-lvm-controller@cloud"
  check "the package installs" installs
  check "an administrator has a cluster, and copies the node's files" cluster_is_made
  check "blank disks become the volume group of the cluster's ConfigMap" group_from_disks
  check "csi-node registers its drivers with kubelet" registers
  check "the cloud is told what the node has, by a token that is good for no other node" cloud_is_told
  check "a pod writes on a volume that the cloud's controller made" pod_writes
  check "it stays there while csi-node is restarted and killed, which then serves it" survives_restarts
  check "all go on, and start again, when there is no API server any more" goes_on_without_cloud
else
  check "after a boot with no cloud the group is there and the drivers register" eval "has_network && has_booted"
  check "the volume holds what was written" volume_is_back
  check "with a kernel too old for volumes the unit ends once, and says why" refuses_old_kernel
  check "a purge leaves volumes, and nothing else but what others wrote" purge_leaves_data
fi
