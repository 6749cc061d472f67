"""The scene of gateway_site.py with egw-controller in a cloud, which makes its gateways, and rolls out what it changes.

    cloud 203.0.113.100: kube_server, egw-controller
       |
    the Internet -- lan -- edge-1 [gateway a], edge-2 [gateway b], edge-3 [till]

What Kubernetes itself does is done here, as fast as can be: a Deployment's pod ends in order, and the next one, with
another address, is made of the new template, and counts as available when it has been ready for as long as it asks.
"""

import itertools
import json
import time

import cluster_site
import edge_site
import gateway_changes
import gateway_site
from cluster_site import APPS, EDGE_GATEWAY, OWN, POOL, wait_for

SECRET = f"{OWN}/secrets/{POOL}-keys"
NUMBER = "net.holdfast.dev/key-number"
ROTATE = "net.holdfast.dev/rotate-keys"
ACCEPTED = "net.holdfast.dev/accepted-keys"
FINALIZER = "holdfast.dev/kubelet"  # a pod is there until its containers have ended
CHANGE_SECONDS = 180
AWAY_SECONDS = 5
HEALTH_PORT = 11265


class Cloud(cluster_site.Cloud):
    """Of controllers only that of gateways."""

    def start_controller(self, image):
        self._start("egw-controller", "egw-controller", "--namespace=egw-gateway", f"--image={image}",
                    "--tunnel-range=198.19.0.0/20", "--tunnel-range=fd00:198::/64", f"--healthz=127.0.0.1:{HEALTH_PORT}")
        wait_for(lambda: self._is_ready(HEALTH_PORT), "egw-controller is not ready")


class Node(cluster_site.ClusterNode):
    """Its pods have addresses of both families, which flanneld reads in documents."""

    _lease_source = edge_site.Node._lease_source

    def register(self):
        super().register()
        cidrs = self.pod_cidrs()
        path = f"/api/v1/nodes/{self.name}"
        self.cloud.api.merge(path, {"spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs}})
        self.cloud.api.merge(f"{path}/status", {"status": {"addresses": [
            {"type": "InternalIP", "address": each} for each in (self.address, self.address6)]}})


class World(cluster_site.Cluster):
    """All of it, running, as patient as gateway_changes.World."""

    IPV6 = True
    LINK, ROUTER_INTERVAL, LIVENESS = (gateway_changes.World.LINK, gateway_changes.World.ROUTER_INTERVAL,
                                       gateway_changes.World.LIVENESS)

    def _make_nodes(self):
        self.cloud = Cloud(self.site)
        self.site.gateway_source = ["--source=crd", f"--kubeconfig={self.cloud.kubeconfig}"]
        self._numbers = itertools.count(1)
        self._running = {}  # by gateway: the name of its pod, and of what template it is
        return [Node(self.site, number, self.cloud) for number in (1, 2, 3)]

    def _start_site(self):
        self.cloud.boot()
        for node in self.nodes:
            node.boot()
            node.register()
            self.site.publish(node)
        self._publish_connections()
        self.publish()
        self.cloud.start_controller("holdfast")
        for node in self.nodes:
            node.start_daemon()
        self.note_ranges()
        self.pod_address, self.pod_address6 = self.nodes[2].start_dual_pod(gateway_site.POD)

    def _connection(self):
        ranges = {"vpcCIDRs": [gateway_site.VPC, gateway_site.VPC6],
                  "cloudPodCIDRs": [gateway_site.CLOUD_PODS, gateway_site.CLOUD_PODS6]}
        points = [{**entry, "tunnelAddresses": self.points[entry["name"]].tunnel_addresses()}
                  for entry in super()._connection()["accessPoints"]]
        return super()._connection() | ranges | {"accessPoints": points, "liveness": self.LIVENESS}

    def _annotations(self):
        return super()._annotations() | {"nodepool.openyurt.io/pod-cidrs": f"{gateway_site.PODS},{gateway_site.PODS6}"}

    def _run_core(self, name, deployment):
        self._start_pod(name, deployment, self.node_of(name))

    def deployment(self, name):
        return self.cloud.api.get(f"{APPS}/deployments/{POOL}-{name}")

    def running_template(self, name):
        return self._running[name][1]

    def roll_out(self, done, complaint):
        """What the Deployments ask for, one after the other, until `done`."""
        def turn():
            for name in gateway_changes.STANDBY_FIRST:
                deployment = self.deployment(name)
                if deployment["spec"]["template"] != self._running[name][1]:
                    self.replace_pod(name, deployment, self.node_of(name))
            return done()
        wait_for(turn, complaint, CHANGE_SECONDS)

    def replace_pod(self, name, deployment, after, drained=False):
        """On the node `after`."""
        before, pod = self.node_of(name), self._running[name][0]
        if drained and not self.evict(name):
            raise RuntimeError(f"gateway {name} cannot be evicted though both are ready")
        if not drained:
            self.cloud.api.delete(f"{OWN}/pods/{pod}")
        self._tell(deployment, 0)
        before.core.terminate()
        if drained:
            self.keep_other(name)  # its pod still ends
        self.cloud.api.merge(f"{OWN}/pods/{pod}", {"metadata": {"finalizers": None}})
        after.take_gateway(before)
        self.note_ranges()
        self._start_pod(name, deployment, after, drained)

    def evict(self, name):
        """As kubectl drain asks for it; whether it is done."""
        pod = self._running[name][0]
        try:
            self.cloud.api.create(f"{OWN}/pods/{pod}/eviction", {
                "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "egw-gateway"}})
        except RuntimeError as error:
            if ": 429 " in str(error) and "disruption budget" in str(error):
                return False
            raise
        return True

    def keep_other(self, name):
        """The node of the other gateway is drained, too, while `name` is not ready."""
        other, = gateway_site.GATEWAYS.keys() - {name}
        if self.evict(other):
            raise RuntimeError(f"gateway {other} is evicted while {name} is not ready")

    def _start_pod(self, name, deployment, node, drained=False):
        """Until it is available."""
        api, template = self.cloud.api, deployment["spec"]["template"]
        pod = f"{POOL}-{name}-{next(self._numbers)}"
        self._running[name] = pod, template
        if not node.core_addresses:
            node.make_core_pod()
        api.create(f"{OWN}/pods", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": pod, "namespace": "egw-gateway", "labels": template["metadata"]["labels"],
                         "finalizers": [FINALIZER]},
            "spec": {**template["spec"], "nodeName": node.name}})
        self._tell_pod(pod, node, "False")
        if drained:
            self.keep_other(name)
        node.take_container("core", template["spec"])
        node.start_core()
        asked = time.monotonic() + template["spec"]["containers"][0]["readinessProbe"].get("initialDelaySeconds", 0)
        self._wait_ready(name)
        time.sleep(max(0, asked - time.monotonic()))
        self._tell_pod(pod, node, "True")
        time.sleep(deployment["spec"].get("minReadySeconds", 0))
        self._tell(deployment, 1)

    def _wait_ready(self, name):
        self.wait_until(lambda: self.core_page(name, "/readyz"), f"gateway {name} is not ready")

    def _tell_pod(self, pod, node, ready):
        self.cloud.api.merge(f"{OWN}/pods/{pod}/status", {"status": {
            "podIP": node.core_address, "podIPs": [{"ip": each} for each in node.core_addresses],
            "conditions": [{"type": "Ready", "status": ready}]}})

    def _tell(self, deployment, available):
        self.cloud.api.merge(f"{APPS}/deployments/{deployment['metadata']['name']}/status", {"status": {
            "observedGeneration": deployment["metadata"]["generation"], "replicas": available, "updatedReplicas": available,
            "availableReplicas": available}})


def rotate_keys(world):
    """A word of an operator's; the access points say themselves that they take the new keys."""
    number, before = _ask_for_keys(world)
    _take_keys(world, number, before)


def rotate_keys_without(world):
    """The same while the access point that is in use is away: nothing is taken into use before it has said that it takes
    the new keys, too."""
    name = gateway_site.PREFERRED["access point"]
    gateway_changes.end_point(world, name)
    number, before = _ask_for_keys(world)
    wait_for(lambda: _offered_at(world, "two", before), "access point two does not say that it takes the offered keys")
    time.sleep(AWAY_SECONDS)
    if _offered_at(world, name, before) or world.cloud.api.get(SECRET)["metadata"]["annotations"][NUMBER] == str(number):
        raise RuntimeError(f"gateways change over while access point {name} is away")
    world.points[name].start_program()
    _take_keys(world, number, before)


def _ask_for_keys(world):
    """The number of those that are asked for, and the public halves of those that are in use."""
    api = world.cloud.api
    number = int(api.get(EDGE_GATEWAY)["metadata"]["annotations"][NUMBER]) + 1
    before = _public_keys(api)
    api.merge(EDGE_GATEWAY, {"metadata": {"annotations": {ROTATE: f"to-{number}"}}})
    return number, before


def _take_keys(world, number, before):
    api = world.cloud.api

    def done():
        keys = api.get(SECRET)["metadata"]["annotations"]
        return keys[NUMBER] == str(number) and len(_public_keys(api)) == len(before)
    world.roll_out(done, f"gateways do not get the keys {number}")
    if before & _public_keys(api):
        raise RuntimeError("a gateway has the key that it had before")
    if ACCEPTED in api.get(EDGE_GATEWAY)["metadata"]["annotations"]:
        raise RuntimeError("somebody said it for the access points")


def _offered_at(world, point, before):
    """Whether an access point has said that it takes keys of all gateways that were not in use `before`."""
    told = world.cloud.api.get(EDGE_GATEWAY)["status"].get("accessPoints", [])
    keys = {key for entry in told if entry["name"] == point for key in entry.get("keys", [])}
    return len(keys - before) == len(gateway_site.GATEWAYS)


def _public_keys(api):
    return {key for gateway in api.get(EDGE_GATEWAY)["spec"]["gateways"] for key in gateway["publicKeys"]}


def roll_out_image(world):
    """Another egw-controller, with another image."""
    image = f"holdfast:{time.monotonic_ns()}"
    world.cloud.controllers["egw-controller"].terminate()
    world.cloud.start_controller(image)

    def done():
        return all(f'"{image}"' in json.dumps(world.running_template(name)) for name in gateway_site.GATEWAYS)
    world.roll_out(done, f"gateways do not get the image {image}")


def drain(world):
    """The node of the gateway that is in use, whose pod is evicted, and is made on another one; and the other way round. Meanwhile the
    PodDisruptionBudget keeps the other gateway from being evicted as well."""
    name = gateway_site.PREFERRED["gateway"]
    node, other = world.node_of(name), world.nodes[2]
    for after in (other, node):
        world.replace_pod(name, world.deployment(name), after, drained=True)
        world.wait_settled()


CHANGES = {
    "an operator asks for other keys of tunnels": rotate_keys,
    "he does again, and an access point is away meanwhile": rotate_keys_without,
    "egw-controller rolls out another image": roll_out_image,
    "the node of a gateway is drained, and gets it back": drain,
}
