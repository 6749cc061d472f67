"""The way from the pod to the VPC as one sets it up by hand: one tunnel of wireguard-go and four routes.

It leads over the same nodes and links as the gateway's, through a pod beside gateway a and a machine beside access
point one.
"""

import contextlib
import json
import os
import subprocess

import edge_site
import gateway_site

POD = "by-hand"
LINK = "hand0"
PORT = "51999"
METRIC = "5"  # goes before the routes of ours
ACCESS_INSIDE = "172.16.0.19"


class Tunnel:
    """Built once; carries nothing until `carry` leads packets into it."""

    def __init__(self, world):
        self._world = world
        self._node = world.node_of("a")
        self._address = self._node.start_pod(POD)
        self._access = edge_site.Machine(world.site, "by-hand")
        self._access.boot()
        self._access.plug("inet", "inet9", "eth0", "203.0.113.9/24")
        self._access.plug("vpc", "vpc8", "eth1", f"{ACCESS_INSIDE}/24")
        self._access.run("ip", "route", "add", "172.16.1.0/24", "via", "172.16.0.254")
        self._build()

    def _in_pod(self, *command):
        return self._node.run("ip", "netns", "exec", POD, *command)

    def _build(self):
        folder = self._world.folder
        edge_key, edge_public = gateway_site.new_key(folder, "by-hand-edge")
        cloud_key, cloud_public = gateway_site.new_key(folder, "by-hand-cloud")
        with open(folder / "by-hand.log", "ab") as log:
            environment = {**os.environ, "WG_PROCESS_FOREGROUND": "1"}
            options = {"stdout": log, "stderr": log, "env": environment}
            self.processes = [
                self._node.start("ip", "netns", "exec", POD, "wireguard-go", "-f", LINK, **options),
                self._access.start("wireguard-go", "-f", LINK, **options),
            ]
        for run in (self._in_pod, self._access.run):
            self._node.wait_until(lambda run=run: LINK in run("ip", "-o", "link"), f"wireguard-go makes no {LINK}")
            run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0")
            run("iptables", "-w", "-t", "mangle", "-A", "FORWARD", "-p", "tcp", "--tcp-flags", "SYN,RST", "SYN", "-j", "TCPMSS",
                "--clamp-mss-to-pmtu")
        self._in_pod("wg", "set", LINK, "private-key", edge_key, "peer", cloud_public, "endpoint", f"203.0.113.9:{PORT}",
                     "allowed-ips", "0.0.0.0/0", "persistent-keepalive", "5")
        self._access.run("wg", "set", LINK, "listen-port", PORT, "private-key", cloud_key, "peer", edge_public,
                         "allowed-ips", "0.0.0.0/0")
        for run in (self._in_pod, self._access.run):
            run("ip", "link", "set", LINK, "mtu", "1420", "up")
        self._in_pod("ip", "route", "add", gateway_site.VPC, "dev", LINK)
        self._access.run("ip", "route", "add", gateway_site.PODS, "dev", LINK)

    def _routes(self):
        """On which machine what leads into it."""
        node, world = self._node, self._world
        vpc = (gateway_site.VPC, "metric", METRIC)
        beside = ("via", self._address, "dev", "cni0")
        ranges = ("table", gateway_site.RANGES_TABLE)
        return [(node, (*vpc, *beside, *ranges)), (node, (*vpc, *beside, "table", "20157")),
                (world.nodes[2], (*vpc, "via", f"10.244.{node.number}.0", "dev", "flannel.1", "onlink", *ranges)),
                (world.router, (gateway_site.PODS, "metric", METRIC, "via", ACCESS_INSIDE))]

    @contextlib.contextmanager
    def carry(self):
        for machine, route in self._routes():
            machine.run("ip", "route", "replace", *route)
        try:
            yield
        finally:
            for machine, route in self._routes():
                machine.run("ip", "route", "delete", *route)


def throughput(world, seconds=3):
    """Mbit/s from the pod to the VPC's host, by iperf3."""
    server = world.host.spawn("iperf3", "-s", "-1", stdout=subprocess.DEVNULL)
    world.host.wait_until(lambda: ":5201" in world.host.run("ss", "-tln"), "iperf3 does not listen")
    answer = json.loads(world.in_pod("iperf3", "-c", gateway_site.HOST, "-t", str(seconds), "-J"))
    server.wait(timeout=edge_site.COMMAND_SECONDS)
    return answer["end"]["sum_received"]["bits_per_second"] / 1e6
