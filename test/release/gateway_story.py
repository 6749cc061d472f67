"""Checks of the gateway's programs in the scene of its demo, as TAP:

    gateway_story.py faults|recovery|changes|rollout|pools FOLDER

`faults`: each of the demo's faults once, of whoever is in use. `recovery`: who reaches whom in both families, and what
lasts longer than a fault: an uplink that flaps, both gateways dead, nodes that boot with no source of anything. `changes`:
what is planned, other keys and other pods. `rollout`: the same as egw-controller does it. `pools`: two of them
at one cloud end. What the programs say is left in FOLDER.
"""

import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/demo"))
import edge_site  # noqa: E402
import gateway_changes  # noqa: E402
import gateway_cloud  # noqa: E402
import gateway_faults  # noqa: E402
import gateway_matrix  # noqa: E402
import gateway_pools  # noqa: E402
import gateway_site  # noqa: E402
import gateway_stream  # noqa: E402
import namespaces  # noqa: E402

# How long nothing may come after a fault, without what this machine was held up for by other work, as two machines
# beside the scene have noticed. One of so many tries is to keep it, and each is told.
MOST_SILENT_SECONDS = gateway_faults.BAR_MS / 1000
TRIES = 3
MOST_FLAPPING_SECONDS = 10  # and while an uplink goes up and down, which is tried once
FLAPS = 5


def answers(run, address):
    try:
        run("ping", "-c", "1", "-W", "0.3", "-q", address)
        return True
    except RuntimeError:
        return False


def reaches_both_ways(world):
    """In both families."""
    return (all(answers(world.in_pod, address) for address in (gateway_site.HOST, gateway_site.HOST6)) and
            all(answers(world.host.run, address) for address in (world.pod_address, world.pod_address6)))


class Survival:
    """One fault at a time, of a gateway or access point that is in use."""

    def __init__(self, world):
        self._world = world
        self._connection = gateway_faults.Connection(world)

    def survive(self, fault):
        """What came of each try. Errors: nothing came for too long in each of several tries; anything else in one."""
        told = []
        for _ in range(TRIES):
            silent, net = self._try(fault)
            told.append(f"nothing came for {1000 * silent:.0f} ms, {1000 * net:.0f} without what this machine was held up")
            if net <= MOST_SILENT_SECONDS:
                return "; ".join(told)
        raise RuntimeError("; ".join(told))

    def _try(self, fault):
        """The longest time without a datagram, in any direction; and without what the machine was held up."""
        world = self._world
        if fault.role == "gateway":
            world.wait_settled()  # or the other one, which went down before, would have to prove itself first
        world.wait_until(world.used, "not all agree on a gateway and an access point")
        victim = world.used()[fault.role]
        stream, reference = gateway_stream.Stream(world), gateway_stream.Reference(world)
        fault.harm(world, victim)
        try:
            world.wait_until(lambda: victim not in world.ways().values(), f"{victim} is still sent to")
            world.wait_until(lambda: reaches_both_ways(world), "pod and VPC do not reach each other")
        finally:
            fault.repair(world, victim)
        directions, held_up = stream.stop(), reference.held_up()
        for direction, arrivals in directions.items():
            if arrivals.twice():
                raise RuntimeError(f"{direction}: {arrivals.twice()} came twice")
        return tuple(max(arrivals.longest_gap(without) for arrivals in directions.values()) for without in ((), held_up))

    def end(self):
        self._connection.end()


def begin(world):
    world.start_programs()
    world.wait_settled()
    world.wait_until(lambda: reaches_both_ways(world), "pod and VPC do not reach each other")


def tell_faults(world):
    yield "all agree on gateway a and access point one, and pod and VPC reach each other", lambda: begin(world)
    survival = Survival(world)
    kill_core, *others, kill_access_point = gateway_faults.FAULTS
    for fault in (kill_core, kill_access_point, *others):
        yield f"both directions come back, and nothing comes twice: {fault.name}", lambda: survival.survive(fault)
    yield "all is as it was, with no one's help", world.wait_settled
    yield "the pod's TCP connection lived through all of it", survival.end


class RouteLog:
    """Changes of routes to some networks on a machine, as its kernel tells them. One that takes the place of another is one."""

    def __init__(self, world, machine, networks):
        self._networks, self._log = set(networks), world.folder / f"routes-{machine.name}.log"
        with open(self._log, "wb") as said:
            self._monitor = machine.spawn("stdbuf", "-oL", "ip", "-o", "monitor", "route", stdout=said)

        def listens():
            for verb in ("add", "delete"):
                machine.run("ip", "route", verb, "192.0.2.99", "dev", "lo")
            return "192.0.2.99" in self._log.read_text()

        world.wait_until(listens, f"ip(8) does not tell of routes on {machine.name}")

    def stop(self):
        self._monitor.terminate()
        self._monitor.wait()
        return sum(1 for line in self._log.read_text().splitlines() if self._networks & set(line.split()))


POD_RANGES = (gateway_site.PODS, gateway_site.PODS6)


class Flapping:
    """What is counted while something goes up and down, in all places at once."""

    def __init__(self, world):
        self._world = world
        self._switches = self._count()
        self._stream = gateway_stream.Stream(world)
        self._node = RouteLog(world, world.nodes[2], (gateway_site.VPC, gateway_site.VPC6))
        self._router = RouteLog(world, world.router, POD_RANGES)

    def _count(self):
        world, pages = self._world, {"edge-3": ("egw_helper", helper_page(self._world.nodes[2]))}
        pages |= {f"gateway {name}": ("egw_core", world.core_page(name, "/metrics")) for name in gateway_site.GATEWAYS}
        pages |= {point.name: ("egw_access", point.run(*gateway_site.GET, "http://127.0.0.1:8080/metrics"))
                  for point in world.points.values()}
        return {name: metric(page, f"{program}_switches_total") for name, (program, page) in pages.items()}

    def go(self, down, up):
        """Down for a second, up for a second."""
        for _ in range(FLAPS):
            down()
            time.sleep(1)
            up()
            time.sleep(1)

    def end(self, most_at_router):
        """What was counted. Errors: more than a switch anywhere, or too many changes of routes."""
        node, router = self._node.stop(), self._router.stop()
        silent = max(each.longest_gap() for each in self._stream.stop().values())
        switches = {name: count - self._switches[name] for name, count in self._count().items()}
        told = (f"in {2 * FLAPS} s: switches " + ", ".join(f"{count:.0f} of {name}" for name, count in switches.items()) +
                f"; changes of routes {node} on edge-3, {router} on the VPC's router; nothing came for {silent:.1f} s")
        if max(switches.values()) > 1 or node > 2 or router > most_at_router or silent > MOST_FLAPPING_SECONDS:
            raise RuntimeError(told)
        return told


def metric(page, name):
    """As the page of a program has it, without labels. Errors: it has not."""
    found = next((line.split()[1] for line in page.splitlines() if line.startswith(f"{name} ")), None)
    if found is None:
        raise RuntimeError(f"nobody tells of {name}")
    return float(found)


def flap(world):
    """Of a gateway: a switch changes one route of each family on a node, and none of the VPC's, as access points are alive."""
    flapping = Flapping(world)
    flapping.go(lambda: gateway_faults.cut_uplink(world, "a"), lambda: gateway_faults.mend_uplink(world, "a"))
    return flapping.end(most_at_router=0)


def flap_access_point(world):
    """Of an access point: the VPC's router leaves it, comes back once, as nobody can know that it goes on, and leaves it for
    good."""
    point = world.points["one"]

    def forward(verb):
        for direction in ("-s", "-d"):
            edge_site.run("iptables", "-w", verb, "FORWARD", direction, point.address, "-j", "DROP")
    flapping = Flapping(world)
    flapping.go(lambda: forward("-I"), lambda: forward("-D"))
    return flapping.end(most_at_router=3 * len(POD_RANGES))


def helper_page(node):
    """Its metrics; empty when it does not answer."""
    try:
        return node.run(*gateway_site.GET, "http://127.0.0.1:9810/metrics")
    except RuntimeError:
        return ""


def lose_both(world):
    """And a helper begins anew while there is no gateway."""
    node = world.nodes[2]
    for name in gateway_site.GATEWAYS:
        world.node_of(name).core.kill()
    world.wait_until(lambda: not node.sends_to(), "edge-3 still sends to a dead gateway")
    node.helper.kill()
    node.start_helper()
    world.wait_until(lambda: helper_page(node), "egw-helper does not answer")
    if node.sends_to() or "unreachable" not in node.run("ip", "route", "show", "table", gateway_site.RANGES_TABLE):
        raise RuntimeError(f"with both gateways dead edge-3 sends to {node.sends_to()}, or not nowhere")
    for name in gateway_site.GATEWAYS:
        world.node_of(name).start_core()
    world.wait_settled()
    world.wait_until(lambda: reaches_both_ways(world), "pod and VPC do not reach each other")


def hear_errors(world):
    """Of the access point, whose own address is in no range, and beside kube-proxy's rule that drops what is invalid."""
    point = world.points["one"]
    calls = [("Time to live exceeded", ("-t", "4", gateway_site.HOST)), ("Time exceeded", ("-t", "4", gateway_site.HOST6)),
             ("Frag needed", ("-M", "do", "-s", "1300", gateway_site.HOST)),
             ("Packet too big", ("-M", "do", "-s", "1300", gateway_site.HOST6))]
    point.run("ip", "link", "set", "eth1", "mtu", "1280")
    try:
        for words, ping in calls:
            said = world.nodes[2].spawn("ip", "netns", "exec", gateway_site.POD, "ping", "-n", "-c", "1", "-W", "20", *ping,
                                        stdout=subprocess.PIPE, text=True).communicate(timeout=60)[0]
            if f"From {point.tunnel_addresses()[':' in ping[-1]]}" not in said or words not in said:
                raise RuntimeError(f"ping {' '.join(ping)}: {said}")
    finally:
        point.run("ip", "link", "set", "eth1", "mtu", "1500")


def forward_by_both(world):
    """There by gateway b, back by gateway a: no conntrack sees both directions."""
    node, b = world.nodes[2], world.node_of("b")
    table = ("onlink", "table", gateway_site.RANGES_TABLE)
    ways = [(gateway_site.VPC, "metric", "5", "via", f"10.244.{b.number}.0", "dev", "flannel.1", *table),
            (gateway_site.VPC6, "metric", "5", "via", f"fd00:244:0:{b.number}::", "dev", "flannel-v6.1", *table)]
    stream = gateway_stream.Stream(world)
    time.sleep(gateway_faults.BEFORE_SECONDS)
    for way in ways:
        node.run("ip", "route", "replace", *way)
    gateway_matrix.Matrix(world).rows(("pod -> VPC", "VPC -> pod"))
    for way in ways:
        node.run("ip", "route", "delete", *way)
    for direction, arrivals in stream.stop().items():
        if arrivals.lost() or arrivals.twice():
            raise RuntimeError(f"{direction}: {arrivals.lost()} lost, {arrivals.twice()} came twice")


def boot_offline(world):
    """Power goes on a gateway's node and on the pod's, and there is neither a document nor anybody else to ask."""
    first, third = world.nodes[0], world.nodes[2]
    addresses = (first.core_addresses, [world.pod_address, world.pod_address6])
    for documents in (world.site.documents, world.folder / "gateways"):
        documents.rename(documents.with_suffix(".away"))
    for node in (first, third):
        node.cut_power()
    for node in (first, third):
        node.boot()
        node.start_daemon()
        node.start_helper()
    first.make_core_pod()
    first.start_core()
    if (first.core_addresses, third.start_dual_pod(gateway_site.POD)) != addresses:
        raise RuntimeError("pods have other addresses than before")
    world.wait_settled()
    world.wait_until(lambda: reaches_both_ways(world), "pod and VPC do not reach each other")


def tell_recovery(world):
    yield "all agree on gateway a and access point one, and pod and VPC reach each other", lambda: begin(world)
    yield "exactly who may reaches whom, as whom he is to be seen, in IPv4 and IPv6", gateway_matrix.Matrix(world).rows
    yield "pods hear what an access point says of their packets, in IPv4 and IPv6", lambda: hear_errors(world)
    yield ("a planned switch and the way back lose nothing, in IPv4 and IPv6",
           lambda: gateway_changes.try_lossless(world, gateway_changes.end_gateway))
    yield "with both gateways forwarding at once nothing is lost, and nothing comes twice", lambda: forward_by_both(world)
    yield "a gateway's uplink that is down every other second costs one switch at either end, and the VPC none", lambda: flap(world)
    yield "all is as it was, with no one's help", world.wait_settled
    yield "an access point's uplink that is down every other second costs one switch at either end", lambda: flap_access_point(world)
    yield "all is as it was again, with no one's help", world.wait_settled
    yield "both gateways dead and back, and a helper that began anew meanwhile: all is as it was", lambda: lose_both(world)
    yield "a gateway's node and another boot with no source of anything: all is as it was", lambda: boot_offline(world)


def tell_changes(world, changes=gateway_changes.CHANGES):
    yield "all agree on gateway a and access point one, and pod and VPC reach each other", lambda: begin(world)
    connection = gateway_faults.Connection(world)
    for sentence, change in changes.items():
        yield f"nothing is lost when {sentence}", lambda: gateway_changes.try_lossless(world, change)
    yield "the pod's TCP connection lived through all of it", connection.end


def tell_rollout(world):
    return tell_changes(world, gateway_cloud.CHANGES)


def tell_pools(world):
    return gateway_pools.tell(world, reaches_both_ways)


# How many checks, where, and who tells them: (sentence, check), of which each is made before the next is asked for.
STORIES = {
    "faults": (8, gateway_site.World, tell_faults),
    "recovery": (11, gateway_site.World, tell_recovery),
    "changes": (2 + len(gateway_changes.CHANGES), gateway_changes.World, tell_changes),
    "pools": (7, gateway_pools.World, tell_pools),
    "rollout": (2 + len(gateway_cloud.CHANGES), gateway_cloud.World, tell_rollout),
}


def tell(story, folder):
    count, scene, checks = STORIES[story]
    print(f"1..{count}", flush=True)
    for sentence, check in checks(scene(folder)):
        try:
            said = check()
            print(f"ok {sentence}", *([f"#   {said}"] if isinstance(said, str) else []), sep="\n", flush=True)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            print(f"not ok {sentence}\n#   {error}", flush=True)


def main():
    namespaces.enter(str(pathlib.Path(__file__).resolve()))
    story, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tell(story, folder)


main()
