"""A site with two gateways, an Internet, and a VPC with two access points:

    edge-1 [gateway a] --+                         +-- access-1 --+
    edge-2 [gateway b] --+-- lan -- the Internet --+              +-- vpc -- router -- rack -- host
    edge-3 [till]      --+                         +-- access-2 --+

The Internet is this process' own network namespace, with the site's router, which translates addresses. The VPC's
router is BIRD, which finds dead access points by BFD. No API server: all programs read one folder of documents. Pods,
nodes and the VPC have addresses of both families; what is outside, and so the tunnels' way, is of IPv4.
"""

import collections
import itertools
import json
import os
import subprocess
import time

import edge_site
from edge_site import BINARIES, COMMAND_SECONDS, ROOT, run

POOL = "hangzhou"
PODS, PODS6 = "10.244.0.0/16", "fd00:244::/48"
VPC, VPC6 = "172.16.0.0/16", "fd00:172::/48"
RANGES_TABLE = "20158"  # of egw-helper: where a node looks before main
CLOUD_PODS, CLOUD_PODS6 = "10.200.0.0/16", "fd00:200::/48"
HOST, HOST6 = "172.16.1.5", "fd00:172:0:1::5"
CLOUD_POD, CLOUD_POD6 = "10.200.0.5", "fd00:200::5"
ROUTER, ROUTER6 = "172.16.0.254", "fd00:172::254"
POD = "till"
GATEWAYS = {"a": 1, "b": 2}  # by number of the node
ACCESS_POINTS = {"one": 1, "two": 2}
# A pool: `pods` of each family, its gateways by number of the node, and the number of the first one's tunnel.
Pool = collections.namedtuple("Pool", "name pods pods6 gateways tunnel")
HANGZHOU = Pool(POOL, PODS, PODS6, GATEWAYS, 0)
PREFERRED = {"gateway": "a", "access point": "one"}
SETTLE_SECONDS = 120
FORWARDING = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
GET = ("busybox", "wget", "-q", "-O", "-")
BIRD = ROOT / "build/peers_packages/root"

BIRD_CONFIGURATION = """router id 172.16.0.254;
protocol device {}
protocol kernel { ipv4 { export all; }; }
protocol kernel { ipv6 { export all; }; }
protocol bfd { interface "eth0" { interval INTERVAL; multiplier 3; }; }
protocol static one { ipv4 { preference 200; }; route 10.244.0.0/16 via 172.16.0.11 bfd; route 198.19.0.0/20 via 172.16.0.11 bfd; }
protocol static two { ipv4 { preference 100; }; route 10.244.0.0/16 via 172.16.0.12 bfd; route 198.19.0.0/20 via 172.16.0.12 bfd; }
protocol static one6 { ipv6 { preference 200; }; route fd00:244::/48 via fd00:172::11 bfd; route fd00:198::/64 via fd00:172::11 bfd; }
protocol static two6 { ipv6 { preference 100; }; route fd00:244::/48 via fd00:172::12 bfd; route fd00:198::/64 via fd00:172::12 bfd; }
"""


def new_key(folder, name):
    """Of WireGuard: a file with the private half; returns it and the public half."""
    private = run("wg", "genkey")
    path = folder / f"{name}.key"
    path.touch(mode=0o600)
    path.write_text(private)
    public = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True).stdout.strip()
    return path, public


class AccessPoint(edge_site.Machine):
    """The cloud end of the tunnels: egw-access, which is this machine's routing too."""

    REMOVAL_SECONDS = 60  # from the end of a pool to that of its tunnels

    def __init__(self, site, name):
        super().__init__(site, f"access-{ACCESS_POINTS[name]}")
        self.point = name
        self.number = ACCESS_POINTS[name]
        self.address = f"203.0.113.{self.number}"
        self.inside, self.inside6 = f"172.16.0.1{self.number}", f"fd00:172::1{self.number}"
        self.key, self.public_key = new_key(site.folder, self.name)
        self.program = None

    def boot(self):
        super().boot()
        self.plug("inet", f"inet{self.number}", "eth0", f"{self.address}/24")
        self.plug("vpc", f"vpc{self.number}", "eth1", f"{self.inside}/24")
        self.run("ip", "route", "add", "default", "via", "203.0.113.254")
        self.add_address6("eth1", f"{self.inside6}/64")
        for network in ("172.16.1.0/24", CLOUD_PODS):
            self.run("ip", "route", "add", network, "via", ROUTER)
        for network in ("fd00:172:0:1::/64", CLOUD_PODS6):
            self.run("ip", "route", "add", network, "via", ROUTER6)
        self.run("sysctl", "-qw", *FORWARDING)

    def start_program(self):
        with open(self.site.folder / f"{self.name}.log", "ab") as log:
            self.program = self.start(
                *edge_site.CONTAINER, BINARIES / "egw-access", f"--access-point={self.point}", f"--private-key={self.key}",
                *self.site.gateway_source, f"--state-dir={self.disk}/egw", "--routes=kernel",
                f"--router-bfd={ROUTER}", f"--router-bfd={ROUTER6}", "--healthz=127.0.0.1:8080",
                f"--removal-delay={self.REMOVAL_SECONDS}", stdout=log, stderr=log)

    def tunnel_addresses(self):
        return [f"198.19.15.{self.number}", f"fd00:198::f:{self.number}"]

    def allowed_ips(self, gateway):
        """By public key that its tunnel to a gateway knows: what it takes from it, "(none)" for nothing."""
        told = self.run("wg", "show", f"egw-{POOL}-{gateway}", "allowed-ips")
        return dict(line.split("\t") for line in told.splitlines())

    def returns_by(self, site):
        """The gateway of a site that it sends to; empty: none."""
        way = self.run("ip", "route", "show", "match", site.pods_at, "proto", "158")
        return next((name for name in GATEWAYS if f"-{name} " in way), "")


class GatewayNode(edge_site.Node):
    """A node of the pool: egw-helper, and on some a gateway's pod."""

    def __init__(self, site, number):
        super().__init__(site, number)
        self.gateway = next((name for name, node in site.pool.gateways.items() if node == number), None)
        self.helper = None
        self.core = None
        self.core_pod = f"gateway-{self.gateway}"
        self.core_address = None  # of IPv4
        self.core_addresses = []
        self.key = None          # file with that of the gateway
        self.public_keys = []    # that access points are told of, those in use first
        if self.gateway:
            self.key, public_key = new_key(site.folder, f"core-{self.gateway}")
            self.public_keys = [public_key]

    def boot(self):
        super().boot()
        # as kube-proxy and distributions have it
        self.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.default.rp_filter=1")
        for program in ("iptables", "ip6tables"):
            self.run(program, "-w", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP")

    def start_helper(self):
        with open(self.site.folder / f"{self.name}-helper.log", "ab") as log:
            self.helper = self.start(
                BINARIES / "egw-helper", f"--pool={self.site.pool.name}", f"--node-name={self.name}", *self.site.gateway_source,
                f"--bfd-keys={self.site.folder}/liveness", "--healthz=127.0.0.1:9810", stdout=log, stderr=log)

    def make_core_pod(self):
        self.core_addresses = self.start_dual_pod(self.core_pod)
        self.core_address = self.core_addresses[0]
        self.run("ip", "netns", "exec", self.core_pod, BINARIES / "egw-core", "--prepare")

    def take_gateway(self, node):
        """That of another node, or of this one, in a pod of its own that has other addresses. The one before has ended."""
        node.end_pod(node.core_pod)
        name, self.key, self.public_keys = node.gateway, node.key, node.public_keys
        node.gateway = None
        self.gateway = name
        self.core_pod = f"gateway-{name}-{next(self.site.core_pods)}"
        self.make_core_pod()

    def start_core(self):
        with open(self.site.folder / f"core-{self.gateway}.log", "ab") as log:
            self.core = self.start(
                "ip", "netns", "exec", self.core_pod, "env", f"NODE_NAME={self.name}",
                f"POD_IPS={','.join(self.core_addresses)}",
                *edge_site.CONTAINER, BINARIES / "egw-core", f"--pool={self.site.pool.name}",
                f"--gateway={self.gateway}", f"--private-key={self.key}", f"--bfd-keys={self.site.folder}/liveness",
                *self.site.gateway_source, f"--state-dir={self.disk}/core", "--healthz=:11264", stdout=log, stderr=log)

    def sends_to(self):
        """The gateway that its routes, of both families if the site has both, lead to; empty: none, or two."""
        ways = [self._way(VPC, self.site.gateway_ranges)]
        if self.site.ipv6:
            ways.append(self._way(VPC6, self.site.gateway_ranges6))
        return ways[0] if ways[0] == ways[-1] else ""

    def _way(self, network, ranges):
        try:
            way = self.run("ip", "-6" if ":" in network else "-4", "route", "show", "table", RANGES_TABLE, network, "metric", "37")
        except RuntimeError:  # there is no such table before its first route
            return ""
        return next((name for name, range_ in ranges.items() if f"via {range_}" in way), "")

    def pod_range(self):
        """What its pods' addresses begin with: "10.244.3."."""
        return self.pod_cidr.rpartition(".")[0] + "."


def tunnel_addresses(node):
    """Of the gateway on it, one a family; edge nodes are seen as these in the VPC."""
    number = tunnel_number(node) + 1
    return [f"198.19.0.{number}", f"fd00:198::{number}"]


def tunnel_number(node):
    """Of the gateway on it: no other gateway of any pool has it."""
    return node.site.pool.tunnel + GATEWAYS[node.gateway] - 1


class Bystander(edge_site.Machine):
    """One of two that only tell whether this machine has time for anything."""

    def __init__(self, site, number):
        super().__init__(site, f"bystander-{number}")
        self._number = number
        self.address = f"192.0.2.{number}"

    def boot(self):
        super().boot()
        self.plug("aside", f"aside{self._number}", "eth0", f"{self.address}/24")


class World:
    """All of it, running."""

    POOL = HANGZHOU
    IPV6 = True  # beside IPv4
    LINK = "dedicated"  # what kind of line tunnels are on: how soon who is dead is missed
    LIVENESS = {}  # the same between nodes and gateways
    ROUTER_INTERVAL = "100 ms"  # and between the VPC's router and access points

    def __init__(self, folder):
        self.folder = folder
        self.site = edge_site.Site(folder, ipv6=self.IPV6)
        self.site.pool = self.POOL
        self.documents = folder / "gateways"
        self.documents.mkdir()
        self.site.gateway_source = ["--source=dir", f"--config-dir={folder}/gateways"]
        self.site.core_pods = itertools.count(2)
        (folder / "liveness").write_text(f"1 {os.urandom(8).hex()}\n")
        self._build_internet()
        self.nodes = self._make_nodes()
        self.points = {name: AccessPoint(self.site, name) for name in ACCESS_POINTS}
        self.router = edge_site.Machine(self.site, "router")
        self.host = edge_site.Machine(self.site, "host")
        self._build_vpc()
        self.bystanders = [Bystander(self.site, number) for number in (1, 2)]
        for machine in self.bystanders:
            machine.boot()
        self.pod_address = self.pod_address6 = None
        self._start_site()

    def _make_nodes(self):
        return [GatewayNode(self.site, number) for number in (1, 2, 3)]

    def note_ranges(self):
        """Which pods are whose, so that what routes lead to has a name."""
        self.site.gateway_ranges = {name: self.node_of(name).pod_range() for name in GATEWAYS}
        self.site.gateway_ranges6 = {name: f"fd00:244:0:{self.node_of(name).number}::" for name in GATEWAYS}
        self.site.pods_at = self.nodes[2].pod_range() + "0"

    def _build_internet(self):
        for bridge in ("inet", "vpc", "rack", "aside"):
            run("ip", "link", "add", bridge, "type", "bridge")
            run("ip", "link", "set", bridge, "up")
        run("ip", "address", "add", "192.168.77.254/24", "dev", "lan")
        run("ip", "address", "add", "203.0.113.254/24", "dev", "inet")
        run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        run("iptables", "-w", "-t", "nat", "-A", "POSTROUTING", "-s", "192.168.77.0/24", "-o", "inet", "-j", "MASQUERADE")

    def _build_vpc(self):
        for machine in [*self.points.values(), self.router, self.host]:
            machine.boot()
        self.router.plug("vpc", "vpc9", "eth0", "172.16.0.254/24")
        self.router.plug("rack", "rack1", "eth1", "172.16.1.1/24")
        self.router.add_address6("eth0", f"{ROUTER6}/64")
        self.router.add_address6("eth1", "fd00:172:0:1::1/64")
        self.router.run("sysctl", "-qw", *FORWARDING)
        self.host.plug("rack", "rack2", "eth0", f"{HOST}/24")
        self.host.add_address6("eth0", f"{HOST6}/64")
        self.host.run("ip", "route", "add", "default", "via", "172.16.1.1")
        self.host.run("ip", "route", "add", "default", "via", "fd00:172:0:1::1")
        # and it is a node of the cloud's cluster too
        self.host.run("ip", "address", "add", f"{CLOUD_POD}/32", "dev", "lo")
        self.host.add_address6("lo", f"{CLOUD_POD6}/128")
        self.router.run("ip", "route", "add", CLOUD_PODS, "via", HOST)
        self.router.run("ip", "route", "add", CLOUD_PODS6, "via", HOST6)
        configuration = self.folder / "bird.conf"
        configuration.write_text(BIRD_CONFIGURATION.replace("INTERVAL", self.ROUTER_INTERVAL))
        libraries = f"LD_LIBRARY_PATH={BIRD}/usr/lib/x86_64-linux-gnu"
        with open(self.folder / "router.log", "ab") as log:
            self.bird = self.router.start("env", libraries, BIRD / "usr/sbin/bird", "-f", "-c", configuration, "-s",
                                          self.folder / "bird.ctl", "-P", self.folder / "bird.pid", stdout=log, stderr=log)

    def _start_site(self):
        for node in self.nodes:
            node.boot()
            self.site.publish(node)
        for node in self.nodes:
            node.start_daemon()
        for node in self.nodes:
            if node.gateway:
                node.make_core_pod()
                node.start_core()
        self.note_ranges()
        self.pod_address, self.pod_address6 = self.nodes[2].start_dual_pod(POD)
        self.publish()

    def publish(self, more_nodes=()):
        """The pool's EdgeGateway; `more_nodes`: entries of its spec.nodes that no machine here stands for."""
        spec = {
            "podCIDRs": [self.POOL.pods, self.POOL.pods6], "vpcCIDRs": [VPC, VPC6], "cloudPodCIDRs": [CLOUD_PODS, CLOUD_PODS6],
            "accessPoints": [
                {"name": point.point, "address": point.address, "port": 51820, "publicKey": point.public_key,
                 "priority": 300 - 100 * point.number, "link": self.LINK,
                 "tunnelAddresses": point.tunnel_addresses()} for point in self.points.values()],
            "gateways": [
                {"name": node.gateway, "node": node.name, "podAddresses": node.core_addresses,
                 "publicKeys": node.public_keys, "priority": 300 - 100 * GATEWAYS[node.gateway],
                 "tunnel": tunnel_number(node), "tunnelAddresses": tunnel_addresses(node)}
                for node in self.nodes if node.gateway],
            "nodes": [{"name": node.name, "podCIDRs": node.pod_cidrs(), "addresses": [node.address, node.address6]}
                      for node in self.nodes] + list(more_nodes),
            "liveness": {"keySecret": f"{self.POOL.name}-liveness", **self.LIVENESS},
        }
        document = {"apiVersion": "net.holdfast.dev/v1alpha1", "kind": "EdgeGateway", "metadata": {"name": self.POOL.name},
                    "spec": spec}
        new = self.documents / ".new"
        new.write_text(json.dumps(document, indent=2))
        new.rename(self.document())

    def document(self):
        """The file of the pool's EdgeGateway."""
        return self.documents / f"{self.POOL.name}.json"

    def start_programs(self):
        for point in self.points.values():
            point.start_program()
        for node in self.nodes:
            node.start_helper()

    def node_of(self, gateway):
        return next(node for node in self.nodes if node.gateway == gateway)

    def router_uses(self):
        """The access point that the VPC's router sends to, in both families; empty: none, or two."""
        ways = [self.router.run("ip", "route", "show", PODS), self.router.run("ip", "-6", "route", "show", PODS6)]
        return next((name for name, point in self.points.items()
                     if f"via {point.inside} " in ways[0] and f"via {point.inside6} " in ways[1]), "")

    def core_uses(self, gateway):
        """The access point that a gateway sends to; empty: none, or it does not run."""
        try:
            node = self.node_of(gateway)
            way = node.run("ip", "netns", "exec", node.core_pod, "ip", "route", "show", VPC, "metric", "37")
        except RuntimeError:
            return ""
        return next((name for name in ACCESS_POINTS if f"dev wg-{name} " in way), "")

    def used(self):
        """By role, who is used by all that have the choice while both of the role are alive; None: they do not agree."""
        gateways = {*(node.sends_to() for node in self.nodes), *(point.returns_by(self.site) for point in self.points.values())}
        points = {self.router_uses(), *(self.core_uses(name) for name in GATEWAYS)}
        agreed = len(gateways) == 1 and len(points) == 1 and "" not in gateways | points
        if not agreed or not all(map(self._sees_gateways, self.nodes)) or not all(map(self._sees_points, GATEWAYS)):
            return None
        return {"gateway": gateways.pop(), "access point": points.pop()}

    def wait_settled(self):
        """Until everybody prefers what is preferred, and what stands by is alive."""
        self.wait_until(lambda: self.used() == PREFERRED, "not all prefer gateway a and access point one")

    def wait_until(self, holds, complaint):
        end = time.monotonic() + SETTLE_SECONDS
        while not holds():
            if time.monotonic() > end:
                raise RuntimeError(f"{complaint} after {SETTLE_SECONDS} s: {self.ways()}")
            time.sleep(0.1)

    def ways(self):
        """Who sends by whom, for people."""
        return {**{node.name: node.sends_to() for node in self.nodes},
                **{point.name: point.returns_by(self.site) for point in self.points.values()}, "router": self.router_uses()}

    @staticmethod
    def _sees_gateways(node):
        page = node.run(*GET, "http://127.0.0.1:9810/metrics")
        return all(f'egw_helper_gateway_up{{gateway="{name}"}} 1' in page for name in GATEWAYS)

    def _sees_points(self, gateway):
        page = self.core_page(gateway, "/metrics")
        return all(f'egw_core_access_point_up{{access_point="{name}"}} 1' in page for name in ACCESS_POINTS)

    def core_page(self, gateway, path):
        """What its egw-core answers; empty when it does not."""
        try:
            return self.node_of(gateway).run(*GET, f"http://{self.node_of(gateway).core_address}:11264{path}")
        except RuntimeError:
            return ""

    def in_pod(self, *command):
        return self.nodes[2].run("ip", "netns", "exec", POD, *command)
