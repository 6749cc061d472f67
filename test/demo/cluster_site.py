"""A cluster: the site, Internet and VPC of gateway_site.py, and a cloud that tells them what to do.

    cloud 203.0.113.100: kube_server, two flannel-controllers, two egw-controllers, csi-lvm's controller
       |
    the Internet -- lan -- edge-1 [gateway a], edge-2 [gateway b], edge-3 [till], the guest shop-1 with disks

What Kubernetes itself does is done here: kubelets register nodes, and start what Deployments and DaemonSets of
egw-controller say, as they say it. The tunnels are on a line of their own, as a site with a gateway has: what is cut is
the way to the cloud's API server.
"""

import base64
import json
import shutil
import subprocess
import time

import cluster_api
import edge_site
import gateway_site
from edge_site import BINARIES, COMMAND_SECONDS, run

ADDRESS = "203.0.113.100"
PORT = 6443
POOL = gateway_site.POOL
OWN = "/api/v1/namespaces/egw-gateway"
APPS = "/apis/apps/v1/namespaces/egw-gateway"
NETWORKS = "/apis/net.holdfast.dev/v1alpha1/nodenetworkconfigurations"
EDGE_GATEWAY = f"/apis/net.holdfast.dev/v1alpha1/edgegateways/{POOL}"
ENHANCED = {
    "nodepool.openyurt.io/max-nodes": "20", "nodepool.openyurt.io/pod-cidrs": gateway_site.PODS,
    "nodepool.openyurt.io/cen-id": "cen-1", "nodepool.openyurt.io/ccn-id": "ccn-1",
    "nodepool.openyurt.io/ccn-region": "cn-shanghai", "nodepool.openyurt.io/is-default": "false",
}
NETWORK_PORTS = {1: 11267, 2: 11268}  # where flannel-controllers tell how they are
GATEWAY_PORTS = {1: 11265, 2: 11266}  # egw-controllers
VOLUMES_PORT = 11261                  # csi-lvm
READY_SECONDS = 60
# Before the API server's first bookmark, which is sent after a minute: who waits for it is not ready in time.
BEFORE_BOOKMARK_SECONDS = 40
UPGRADE_SECONDS = 1.0  # between the end of a pod and the start of what takes its place


def wait_for(holds, complaint, seconds=READY_SECONDS):
    """What `holds` returns when it is true at last."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > end:
            raise RuntimeError(f"{complaint} after {seconds} s")
        time.sleep(0.02)
    return found


class Cloud(edge_site.Machine):
    """Where the API server and the controllers run."""

    def __init__(self, site):
        super().__init__(site, "cloud")
        self.url = f"https://{ADDRESS}:{PORT}"
        self.kubeconfig = site.folder / "kubeconfig"
        self.volumes_socket = site.folder / "csi-lvm.sock"
        self.api = None
        self.controllers = {}

    def boot(self):
        super().boot()
        self.plug("inet", "inet100", "eth0", f"{ADDRESS}/24")
        certificate, key = cluster_api.make_certificate(self.site.folder, ADDRESS)
        cluster_api.write_kubeconfig(self.kubeconfig, self.url, certificate)
        with open(self.site.folder / "kube_server.log", "ab") as log:
            server = self.spawn(cluster_api.SERVER, f"{ADDRESS}:{PORT}", certificate, key, cluster_api.TOKEN,
                                stdout=subprocess.PIPE, stderr=log, text=True)
        if server.stdout.readline().strip() != self.url:
            raise RuntimeError("the API server does not start; see kube_server.log")
        self.api = cluster_api.Api(self.url, certificate)
        self.api.define_kinds()
        for name in ("default", "kube-system", "kube-flannel", "egw-gateway"):
            self.api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def start_controllers(self):
        """Seconds from their start until all are ready."""
        began = time.monotonic()
        self._start_network_controllers()
        for number, port in GATEWAY_PORTS.items():
            self._start(f"egw-controller-{number}", "egw-controller", "--namespace=egw-gateway",
                        f"--healthz=127.0.0.1:{port}")
        self._start("csi-lvm-controller", "csi-lvm", "--mode=controller", f"--endpoint=unix://{self.volumes_socket}",
                    "--namespace=kube-system", f"--metrics-address=127.0.0.1:{VOLUMES_PORT}")
        for port in self.health_ports():
            wait_for(lambda port=port: self._is_ready(port), f"no controller is ready at port {port}", BEFORE_BOOKMARK_SECONDS)
        return time.monotonic() - began

    def _start_network_controllers(self):
        for number, port in NETWORK_PORTS.items():
            self._start(f"flannel-controller-{number}", "flannel-controller", "--namespace=kube-flannel",
                        f"--healthz=127.0.0.1:{port}")

    def restart_network_controllers(self):
        """Returns when they have been started: they know nothing yet."""
        for number in NETWORK_PORTS:
            self.controllers[f"flannel-controller-{number}"].terminate()
        self._start_network_controllers()

    @staticmethod
    def health_ports():
        return [*NETWORK_PORTS.values(), *GATEWAY_PORTS.values(), VOLUMES_PORT]

    def _is_ready(self, port):
        done = self.spawn("busybox", "wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}/readyz", stderr=subprocess.DEVNULL)
        return done.wait(timeout=COMMAND_SECONDS) == 0

    def _start(self, name, program, *arguments):
        with open(self.site.folder / f"{name}.log", "ab") as log:
            self.controllers[name] = self.start(BINARIES / program, *arguments, f"--kubeconfig={self.kubeconfig}",
                                                stdout=log, stderr=log)


class ClusterNode(gateway_site.GatewayNode):
    """A node whose programs ask the API server, and run as its objects say."""

    def __init__(self, site, number, cloud):
        super().__init__(site, number)
        self.cloud = cloud
        self.name = f"edge-{number}"
        self._containers = {}  # what kubelet knows of its containers, so that it starts them again with no cloud

    def _lease_source(self):
        return ["--kube-subnet-mgr", f"--kubeconfig-file={self.cloud.kubeconfig}"]

    def register(self):
        """As its kubelet does."""
        register_node(self.cloud.api, self.name, self.address)

    def join(self):
        """Seconds from flanneld's start to the first pod, which has its address and answers."""
        self.register()
        began = time.monotonic()
        self.start_daemon()
        address = self.start_pod(f"first-{self.number}")
        self.run("ping", "-n", "-c", "1", "-W", "10", address)
        took = time.monotonic() - began
        self.pod_cidr = self.cloud.api.get(f"/api/v1/nodes/{self.name}")["spec"]["podCIDR"]
        return took

    def take_container(self, key, pod):
        """What an object's pod template asks of this node, with its Secrets in files of the node's disk."""
        container = pod["containers"][0]
        words = [*container["command"], *container["args"]]
        for volume in pod["volumes"]:
            if "secret" in volume:
                place = next(each["mountPath"] for each in container["volumeMounts"] if each["name"] == volume["name"])
                folder = self._write_secret(key, volume)
                words = [word.replace(place, str(folder)) for word in words]
        self._containers[key] = [word.replace("$(NODE_NAME)", self.name) for word in words]

    def _write_secret(self, key, volume):
        folder = self.disk / "kubelet" / key / volume["name"]
        folder.mkdir(parents=True, exist_ok=True)
        data = self.cloud.api.get(f"{OWN}/secrets/{volume['secret']['secretName']}")["data"]
        for item in volume["secret"]["items"]:
            path = folder / item["path"]
            path.touch(mode=0o400)
            path.write_bytes(base64.b64decode(data[item["key"]]))
        return folder

    def start_helper(self):
        program, *arguments = self._containers["helper"]
        with open(self.site.folder / f"{self.name}-helper.log", "ab") as log:
            self.helper = self.start(self.programs / program, *arguments, f"--kubeconfig={self.cloud.kubeconfig}",
                                     "--healthz=127.0.0.1:9810", stdout=log, stderr=log)

    def start_core(self):
        program, *arguments = self._containers["core"]
        if not self.core_addresses:
            self.make_core_pod()
        with open(self.site.folder / f"core-{self.gateway}.log", "ab") as log:
            self.core = self.start(
                "ip", "netns", "exec", self.core_pod, "env", f"NODE_NAME={self.name}",
                f"POD_IPS={','.join(self.core_addresses)}", *edge_site.CONTAINER, self.programs / program, *arguments,
                f"--kubeconfig={self.cloud.kubeconfig}", stdout=log, stderr=log)

    def keep_programs(self, folder="bin"):
        """Copies of its own, as a machine has: what it shares with other nodes of this demo would not be counted."""
        self.programs = self.disk / folder
        shutil.copytree(BINARIES, self.programs, symlinks=True)

    def upgrade(self):
        """Its daemons' pods are ended, and made anew of another image, which takes a kubelet some time; until they are ready."""
        self.keep_programs("bin-2")
        self.kill_daemon("TERM")
        self.helper.terminate()
        time.sleep(UPGRADE_SECONDS)
        self.start_daemon()
        self.start_helper()
        self.wait_until(lambda: self.answers("http://127.0.0.1:9810/readyz"), "egw-helper is not ready")


def register_node(api, name, address):
    labels = {"apps.openyurt.io/nodepool": POOL, "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
              "kubernetes.io/hostname": name}
    api.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {}})
    api.merge(f"/api/v1/nodes/{name}/status", {"status": {"addresses": [{"type": "InternalIP", "address": address}]}})


class Cluster(gateway_site.World):
    """All of it, running. Its API server gives subnets of IPv4."""

    IPV6 = False

    def _make_nodes(self):
        self.cloud = Cloud(self.site)
        self.site.gateway_source = ["--source=crd", f"--kubeconfig={self.cloud.kubeconfig}"]
        return [ClusterNode(self.site, number, self.cloud) for number in (1, 2, 3)]

    def _start_site(self):
        self.cloud.boot()
        self._publish_connections()
        self.publish()
        self.controller_seconds = self.cloud.start_controllers()
        for node in self.nodes:
            node.boot()
        self.nodes[2].keep_programs()
        self.join_seconds = [node.join() for node in self.nodes[:2]]
        self.cloud.restart_network_controllers()
        self.join_seconds.append(self.nodes[2].join())
        self.note_ranges()
        self.pod_address = self.nodes[2].start_pod(gateway_site.POD)

    def _connection(self):
        """The way into the VPC, as the pool's annotations name it."""
        points = [{"name": point.point, "address": point.address, "port": 51820, "publicKey": point.public_key,
                   "priority": 300 - 100 * point.number, "link": self.LINK,
                   "tunnelAddresses": [f"198.19.15.{point.number}"]} for point in self.points.values()]
        return {"cenId": "cen-1", "ccnId": "ccn-1", "ccnRegion": "cn-shanghai", "vpcCIDRs": [gateway_site.VPC],
                "accessPoints": points}

    def _publish_connections(self):
        self.cloud.api.create(f"{OWN}/configmaps", {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "egw-controller", "namespace": "egw-gateway"},
            "data": {"connections": json.dumps([self._connection()])}})

    def _annotations(self):
        """Of the pool."""
        return ENHANCED

    def publish(self):
        """The pool; the EdgeGateway is egw-controller's work."""
        self.cloud.api.create("/apis/apps.openyurt.io/v1beta1/nodepools", {
            "apiVersion": "apps.openyurt.io/v1beta1", "kind": "NodePool",
            "metadata": {"name": POOL, "annotations": self._annotations()}, "spec": {"type": "Edge"}})

    def start_programs(self):
        api = self.cloud.api
        for point in self.points.values():
            point.start_program()
        for name in gateway_site.GATEWAYS:
            deployment = wait_for(lambda name=name: api.get(f"{APPS}/deployments/{POOL}-{name}"), f"no Deployment of gateway {name}")
            self._run_core(name, deployment)
        helper = wait_for(lambda: api.get(f"{APPS}/daemonsets/{POOL}-helper"), "no DaemonSet of egw-helper")
        for node in self.nodes:
            node.take_container("helper", helper["spec"]["template"]["spec"])
            node.start_helper()

    def _run_core(self, name, deployment):
        """As scheduler, kubelet and the Deployments' controller do it."""
        api, node = self.cloud.api, self.node_of(name)
        template = deployment["spec"]["template"]
        node.take_container("core", template["spec"])
        node.start_core()
        pod = deployment["metadata"]["name"]
        api.create(f"{OWN}/pods", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": pod, "namespace": "egw-gateway", "labels": template["metadata"]["labels"]},
            "spec": {**template["spec"], "nodeName": node.name}})
        api.merge(f"{OWN}/pods/{pod}/status", {"status": {
            "podIP": node.core_address, "podIPs": [{"ip": each} for each in node.core_addresses],
            "conditions": [{"type": "Ready", "status": "True"}]}})
        api.merge(f"{APPS}/deployments/{pod}/status", {"status": {
            "observedGeneration": deployment["metadata"]["generation"], "replicas": 1, "updatedReplicas": 1,
            "availableReplicas": 1}})

    def cut_the_cloud(self):
        """No packet to it or from it passes the Internet; connections that stand are told nothing."""
        for direction in ("-s", "-d"):
            run("iptables", "-w", "-I", "FORWARD", direction, ADDRESS, "-j", "DROP")

    def restore_the_cloud(self):
        for direction in ("-s", "-d"):
            run("iptables", "-w", "-D", "FORWARD", direction, ADDRESS, "-j", "DROP")

    def cloud_is_reached(self, node):
        done = node.spawn("busybox", "nc", "-w", "1", ADDRESS, str(PORT), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
        return done.wait(timeout=COMMAND_SECONDS) == 0
