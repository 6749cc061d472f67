"""Two pools with gateways of their own at the same access points: the scene of gateway_site.py with another site.

    pool hangzhou  edge-1 [gateway a], edge-2 [gateway b], edge-3 [till]      10.244.0.0/21, fd00:244::/60
    pool shanghai  edge-11 [gateway a], edge-12 [gateway b], edge-13 [till]   10.244.8.0/21, fd00:244:0:10::/60

Nodes of one know nothing of those of the other, though they are on one LAN. Pool hangzhou is the one that is harmed: of
the two it comes first by its name.
"""

import itertools
import os
import re
import time

import edge_site
import gateway_changes
import gateway_site

HARMED = gateway_site.Pool("hangzhou", "10.244.0.0/21", "fd00:244::/60", {"a": 1, "b": 2}, 0)
OTHER = gateway_site.Pool("shanghai", "10.244.8.0/21", "fd00:244:0:10::/60", {"a": 11, "b": 12}, 2)
PINGS = 5
AWAY_SECONDS = 3


class World(gateway_changes.World):
    """Pool hangzhou, and in `other` pool shanghai."""

    POOL = HARMED

    def __init__(self, folder):
        super().__init__(folder)
        for point in self.points.values():
            point.REMOVAL_SECONDS = 1
        self.other = Other(self)

    def pools(self):
        return (self, self.other)

    def refused(self, point="one"):
        """How many packets an access point has refused."""
        page = self.points[point].run(*gateway_site.GET, "http://127.0.0.1:8080/metrics")
        return sum(float(value) for value in re.findall(r"^egw_access_refused_packets(?:{.*})? (\S+)$", page, re.MULTILINE))

    def told(self, point="one"):
        """What an access point says of how it fares."""
        return self.points[point].run("curl", "-s", "http://127.0.0.1:8080/readyz?verbose")


class Other(gateway_changes.World):
    """A site with gateways to the access points and the VPC of another world."""

    POOL = OTHER

    def __init__(self, first):
        self.folder = first.folder / self.POOL.name
        self.folder.mkdir()
        self.site = edge_site.Site(self.folder, ipv6=True, lan=False)
        self.site.pool = self.POOL
        self.documents = first.documents
        self.site.gateway_source = first.site.gateway_source
        self.site.core_pods = itertools.count(2)
        (self.folder / "liveness").write_text(f"1 {os.urandom(8).hex()}\n")
        self.points, self.router, self.host = first.points, first.router, first.host
        self.nodes = self._make_nodes()
        self._start_site()

    def _make_nodes(self):
        return [gateway_site.GatewayNode(self.site, number) for number in (11, 12, 13)]


def begin_with_one(world, reaches):
    """Of the access points only one runs."""
    world.points["one"].start_program()
    for pool in world.pools():
        for node in pool.nodes:
            node.start_helper()
    for pool in world.pools():
        world.wait_until(lambda pool=pool: _uses_one(pool), f"not all of pool {pool.POOL.name} prefer gateway a")
        world.wait_until(lambda pool=pool: reaches(pool), f"pods of pool {pool.POOL.name} and VPC do not reach each other")


def _uses_one(pool):
    ways = {node.sends_to() for node in pool.nodes} | {pool.points["one"].returns_by(pool.site)}
    return ways == {"a"} and {pool.core_uses(name) for name in gateway_site.GATEWAYS} == {"one"}


def add_second(world, reaches):
    world.points["two"].start_program()
    for pool in world.pools():
        pool.wait_settled()
        world.wait_until(lambda pool=pool: reaches(pool), f"pods of pool {pool.POOL.name} and VPC do not reach each other")


def expect_published(world, pools):
    """One range a pool and family in the access points' own tables, each to its gateway a, and nothing of anybody else."""
    for point in world.points.values():
        for family, part in (("-4", 1), ("-6", 2)):
            wanted = {(pool[part], f"egw-{pool.name}-a") for pool in pools}
            world.wait_until(lambda: _pods_at(point, family) == wanted,
                             f"{point.name} publishes {_pods_at(point, family)}, not {wanted}")


def _pods_at(point, family):
    lines = point.run("ip", family, "route", "show", "table", "main", "proto", "158").splitlines()
    ways = {(line.split()[0], line.split(" dev ")[1].split()[0]) for line in lines}
    return {way for way in ways if "/" in way[0]}  # the others are gateways' own addresses


def kill_both(world):
    """Both gateways of pool hangzhou die, and come back after a while."""
    for name in gateway_site.GATEWAYS:
        world.node_of(name).core.kill()
    world.wait_until(lambda: not any(node.sends_to() for node in world.nodes), "pool hangzhou still sends to dead gateways")
    time.sleep(AWAY_SECONDS)
    for name in gateway_site.GATEWAYS:
        world.node_of(name).start_core()
    world.wait_settled()


def lossless(world, harm):
    """Nothing of pool shanghai is lost by what befalls pool hangzhou."""
    gateway_changes.try_lossless(world.other, lambda _: harm(world))


def claim_pods_of_other(world):
    """The object of pool hangzhou says that pods of shanghai are its own; access points refuse it, and say so."""
    honest = world.document().read_text()
    claimed = honest.replace(f'"{HARMED.pods}"', f'"{HARMED.pods}", "10.244.8.0/24"')
    _replace(world.document(), claimed)
    for point in world.points:
        world.wait_until(lambda point=point: "10.244.8.0/24 overlaps 10.244.8.0/21, pods of pool shanghai" in world.told(point),
                         f"access point {point} does not refuse what pool hangzhou claims: {world.told(point)}")
    _replace(world.document(), honest)
    world.wait_settled()


def _replace(path, text):
    new = path.with_name(".new")
    new.write_text(text)
    new.rename(path)


def misuse_key(world):
    """Who has the key of a gateway of pool hangzhou sends to a pod of shanghai, which is refused and counted, and in its
    name, which the tunnel does not take at all."""
    node = world.node_of("a")
    inside = ("ip", "netns", "exec", node.core_pod)
    own, others = "10.244.3.200", "10.244.13.200"
    target = world.other.pod_address
    for address in (own, others):
        node.run(*inside, "ip", "address", "add", f"{address}/32", "dev", "lo")
    node.run(*inside, "ip", "route", "replace", target, "dev", "wg-one", "metric", "1")
    before = world.refused()
    if _answered(node, inside, own, target):
        raise RuntimeError("a pod of pool shanghai answers one of pool hangzhou by the access point")
    world.wait_until(lambda: world.refused() >= before + PINGS, "what is for another pool's pods is not counted")
    counters = [_count(world.host, address) for address in (own, others)]
    for address in (own, others):
        _answered(node, inside, address, gateway_site.HOST)
    came = [count() for count in counters]
    if came != [PINGS, 0]:
        raise RuntimeError(f"of {PINGS} each the VPC got {came[0]} by an own address, and {came[1]} by one of another pool")
    node.run(*inside, "ip", "route", "delete", target, "dev", "wg-one", "metric", "1")
    for address in (own, others):
        node.run(*inside, "ip", "address", "delete", f"{address}/32", "dev", "lo")


def _answered(node, inside, source, target):
    try:
        node.run(*inside, "ping", "-n", "-q", "-c", str(PINGS), "-i", "0.2", "-W", "1", "-I", source, target)
        return True
    except RuntimeError:
        return False


def _count(host, source):
    """Counts what comes from there, from now on."""
    host.run("iptables", "-w", "-t", "raw", "-A", "PREROUTING", "-s", source)

    def count():
        lines = host.run("iptables", "-w", "-t", "raw", "-L", "PREROUTING", "-v", "-n", "-x").splitlines()
        return next(int(line.split()[0]) for line in lines if f" {source} " in line)
    return count


def end_pool(world):
    """Pool hangzhou ceases; access points keep nothing of it."""
    world.document().unlink(missing_ok=True)  # it may be tried again
    expect_published(world, [OTHER])
    for point in world.points.values():
        world.wait_until(lambda point=point: "egw-hangzhou" not in point.run("ip", "-o", "link"),
                         f"{point.name} keeps a tunnel of pool hangzhou")


def tell(world, reaches):
    """`reaches`: whether pods and VPC of a world reach each other both ways."""
    yield ("at one access point both pools use their own gateway, and reach the VPC, as it does them",
           lambda: begin_with_one(world, reaches))
    yield "with a second access point all agree, in both pools", lambda: add_second(world, reaches)
    yield "each pool's pods are published as one range", lambda: expect_published(world, [HARMED, OTHER])
    yield ("nothing of a pool is lost while both gateways of the other die and come back",
           lambda: lossless(world, kill_both))
    yield ("who has a gateway's key reaches no pod of the other pool, which is counted, and speaks in the name of none",
           lambda: misuse_key(world))
    yield ("a pool that claims pods of the other is refused, and the other loses nothing",
           lambda: lossless(world, claim_pods_of_other))
    yield "a pool that ceases leaves nothing, and the other loses nothing", lambda: lossless(world, end_pool)
