"""Who reaches whom through the gateways, in both families, and as whom they are seen there."""

import collections
import contextlib
import pathlib
import subprocess
import sys

import gateway_site

PROGRAM = pathlib.Path(__file__).with_name("tcp_who.py")
PASS_SECONDS = 20    # for what is to pass
REFUSE_SECONDS = 1   # for what is not

# `place`: where the call is made, by name. `source`, `target`, `seen_as`: one address a family; no `source`: the
# kernel's choice, no `seen_as`: it is refused. `counted`: as which of egw_core_packets' passages it is refused; none: it
# gets nowhere near a gateway.
Cell = collections.namedtuple("Cell", "name place source target seen_as counted", defaults=(None,))


def cells(world):
    pod = (world.pod_address, world.pod_address6)
    vpc = (gateway_site.HOST, gateway_site.HOST6)
    cloud_pod = (gateway_site.CLOUD_POD, gateway_site.CLOUD_POD6)
    node = world.nodes[2]
    underlay = (node.address, node.address6)
    bridge = (f"10.244.{node.number}.1", f"fd00:244:0:{node.number}::1")
    translated = gateway_site.tunnel_addresses(world.node_of(gateway_site.PREFERRED["gateway"]))
    gateway = world.node_of(gateway_site.PREFERRED["gateway"]).core_addresses
    return [
        Cell("pod -> VPC", "pod", None, vpc, pod),
        Cell("VPC -> pod", "host", vpc, pod, vpc),
        Cell("pod -> cloud pod", "pod", None, cloud_pod, pod),
        Cell("cloud pod -> pod", "host", cloud_pod, pod, cloud_pod),
        Cell("edge node -> VPC", "node", None, vpc, translated),
        Cell("edge node -> cloud pod", "node", None, cloud_pod, translated),
        # who is not to be reached from the cloud listens all the same
        Cell("pod -> edge node", "pod", None, underlay, pod),
        Cell("pod -> edge node's bridge", "pod", None, bridge, pod),
        Cell("pod -> the gateway itself", "pod", None, gateway, pod),
        Cell("VPC -> edge node", "host", vpc, underlay, None),
        Cell("VPC -> edge node's bridge", "host", vpc, bridge, None, "refused-to-node"),
        Cell("cloud pod -> edge node's bridge", "host", cloud_pod, bridge, None, "refused-to-node"),
        Cell("VPC -> the gateway itself", "host", vpc, gateway, None, "refused-to-gateway"),
    ]


class Matrix:
    """All cells, tried one after the other."""

    def __init__(self, world):
        self._world = world
        self._in_pod = ("ip", "netns", "exec", gateway_site.POD)
        self._places = {"pod": (world.nodes[2], self._in_pod), "node": (world.nodes[2], ()), "host": (world.host, ())}

    def rows(self, names=None):
        """Of each cell, or of those of these names, its name and what came of it in IPv4 and IPv6. Errors: names the cells
        that are not as they should be, or are refused and not counted."""
        wrong, out = [], []
        with self._listening():
            for cell in cells(self._world):
                if names is not None and cell.name not in names:
                    continue
                before = self._counted(cell)
                said = [self._call(cell, family) for family in (0, 1)]
                wanted = cell.seen_as or ("refused", "refused")
                if said != list(wanted):
                    wrong.append(f"{cell.name}: {said}, not {list(wanted)}")
                elif cell.counted:
                    self._world.wait_until(lambda: self._counted(cell) >= before + len(said), f"{cell.name} is not counted")
                out.append([cell.name, *(each if cell.seen_as is None else f"seen as {each}" for each in said)])
        if wrong:
            raise RuntimeError("; ".join(wrong))
        return out

    @contextlib.contextmanager
    def _listening(self):
        gateway = self._world.node_of(gateway_site.PREFERRED["gateway"])
        places = [*self._places.values(), (gateway, ("ip", "netns", "exec", gateway.core_pod))]
        listeners = [machine.spawn(*inside, sys.executable, "-B", PROGRAM, "listen", stdout=subprocess.PIPE)
                     for machine, inside in places]
        try:
            for listener, (machine, inside) in zip(listeners, places):
                if listener.stdout.readline().strip() != b"ready":
                    raise RuntimeError(f"nobody listens on {' '.join((machine.name, *inside))}")
            yield
        finally:
            for listener in listeners:
                listener.kill()
                listener.wait()

    def _counted(self, cell):
        """How many packets have been refused as this cell's are, at the gateway that is in use; 0 where none is to be."""
        page = self._world.core_page(gateway_site.PREFERRED["gateway"], "/metrics") if cell.counted else ""
        wanted = f'egw_core_packets{{passage="{cell.counted}"}} '
        return next((float(line.split()[-1]) for line in page.splitlines() if line.startswith(wanted)), 0)

    def _call(self, cell, family):
        machine, inside = self._places[cell.place]
        seconds = PASS_SECONDS if cell.seen_as else REFUSE_SECONDS
        source = [cell.source[family]] if cell.source else []
        said = machine.run(*inside, sys.executable, "-B", PROGRAM, "call", cell.target[family], str(seconds), *source).strip()
        return "refused" if said.startswith("refused") and not cell.seen_as else said
