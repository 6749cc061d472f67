"""What is changed as planned at the gateways of gateway_site.py, under a stream of datagrams of which none is lost.

What egw-controller and Kubernetes do there is done here, as documents and files: a gateway that is to change is not begun
with before the other one is heard.
"""

import os
import time

import gateway_faults
import gateway_site
import gateway_stream

TRIES = 3
MISSED = "detection time expired"  # in a log: somebody was not heard for seconds, though nobody ends but as planned
STANDBY_FIRST = ("b", "a")
ALONE_SECONDS = 2  # for how long a gateway is missed


class World(gateway_site.World):
    """What is planned is told, and need not be missed: a machine that is busy for a second takes nobody for dead."""

    LINK, ROUTER_INTERVAL = "metered", "1000 ms"
    LIVENESS = {"intervalMilliseconds": 1000}


def try_lossless(world, change):
    """From a settled world to a settled world. Errors: something is lost, or comes twice. A try in which the machine was so
    busy that somebody was missed says nothing."""
    for number in range(1, TRIES + 1):
        world.wait_settled()
        missed = _missed(world)
        stream = gateway_stream.Stream(world)
        time.sleep(gateway_faults.BEFORE_SECONDS)
        try:
            change(world)
            world.wait_settled()
        finally:
            arrivals = stream.stop().values()
        twice = sum(each.twice() for each in arrivals)
        if twice:
            raise RuntimeError(f"{twice} came twice")
        lost = sum(each.lost() for each in arrivals)
        if not lost:
            return
        if _missed(world) == missed or number == TRIES:
            raise RuntimeError(f"{lost} lost")
        print(f"# {lost} lost, as the machine was too busy to hear who lives", flush=True)


def _missed(world):
    return sum(path.read_text(errors="replace").count(MISSED) for path in world.folder.glob("*.log"))


def end_gateway(world):
    """It ends in order, and comes back."""
    name = gateway_site.PREFERRED["gateway"]
    gateway_faults.PLANNED.harm(world, name)
    time.sleep(gateway_faults.AFTER_SECONDS)
    gateway_faults.PLANNED.repair(world, name)


def end_access_point(world):
    """It ends in order, and comes back."""
    name = gateway_site.PREFERRED["access point"]
    end_point(world, name)
    world.points[name].start_program()


def end_point(world, name):
    """An access point ends in order, and nobody sends to it."""
    world.points[name].program.terminate()
    world.wait_until(lambda: name not in {world.router_uses(), *map(world.core_uses, gateway_site.GATEWAYS)},
                     f"access point {name} is still sent to")


def change_gateway_keys(world):
    """Both halves of the new keys are there before a gateway uses one, and the old ones go when both do."""
    new = {name: gateway_site.new_key(world.folder, f"core-{name}-new") for name in STANDBY_FIRST}
    for name, (_, public) in new.items():
        world.node_of(name).public_keys = [*world.node_of(name).public_keys, public]
    _publish_keys(world)
    for name, (private, public) in new.items():
        private.replace(world.node_of(name).key)
        world.wait_until(lambda name=name, public=public: _speaks_with(world, name, public),
                         f"gateway {name} does not speak with its new key")
        world.wait_settled()
    for name, (_, public) in new.items():
        world.node_of(name).public_keys = [public]
    _publish_keys(world)


def _publish_keys(world):
    """Until the access points take them, and no others."""
    world.publish()
    for point in world.points.values():
        for name in STANDBY_FIRST:
            wanted = set(world.node_of(name).public_keys)
            world.wait_until(lambda point=point, name=name, wanted=wanted: point.allowed_ips(name).keys() == wanted,
                             f"access point {point.point} does not take the keys of gateway {name}")


def _speaks_with(world, name, public):
    return all(point.allowed_ips(name)[public] != "(none)" for point in world.points.values())


def change_access_key(world):
    """The key of an access point is another one from its next start on, between which the other access point is used."""
    name = gateway_site.PREFERRED["access point"]
    point = world.points[name]
    point.program.terminate()
    point.key, point.public_key = gateway_site.new_key(world.folder, f"{point.name}-new")
    world.publish()
    point.start_program()


def change_liveness_keys(world):
    """A new one is accepted by all before anybody signs with it, and the old one for as long as anybody may."""
    path = world.folder / "liveness"
    old = path.read_text().splitlines()[0]
    number = int(old.split()[0]) + 1
    new = f"{number} {os.urandom(8).hex()}"
    for lines, shown in (([old, new], (number - 1, 2)), ([new, old], (number, 2)), ([new], (number, 1))):
        _write_liveness(path, lines)
        world.wait_until(lambda shown=shown: _liveness_shown(world) == {shown}, f"not all have the keys of liveness {shown}")


def _write_liveness(path, lines):
    new = path.with_suffix(".new")
    new.write_text("".join(f"{line}\n" for line in lines))
    new.replace(path)


def _liveness_shown(world):
    """Which key each program signs with, and how many it accepts."""
    pages = [("egw_core", world.core_page(name, "/metrics")) for name in gateway_site.GATEWAYS]
    pages += [("egw_helper", node.run(*gateway_site.GET, "http://127.0.0.1:9810/metrics")) for node in world.nodes]
    return {(_value(page, f"{program}_bfd_key"), _value(page, f"{program}_bfd_keys")) for program, page in pages}


def _value(page, metric):
    return next((int(line.split()[1]) for line in page.splitlines() if line.startswith(f"{metric} ")), None)


def roll_out(world):
    """Each gateway's pod ends in order, and is another one then, with another address; one gateway after the other."""
    for name in STANDBY_FIRST:
        node = world.node_of(name)
        before = node.core_addresses
        node.core.terminate()
        _restart(world, node, node)
        if set(before) & set(node.core_addresses):
            raise RuntimeError(f"the pod of gateway {name} has the address that the one before had")
        world.wait_settled()


def drain(world):
    """The node of the gateway that is in use gives it up; after a while it comes back on another one."""
    node, other = world.node_of(gateway_site.PREFERRED["gateway"]), world.nodes[2]
    node.core.terminate()
    time.sleep(ALONE_SECONDS)
    _restart(world, node, other)
    world.wait_settled()
    other.core.terminate()
    _restart(world, other, node)


def _restart(world, before, after):
    after.take_gateway(before)
    world.note_ranges()
    world.publish()
    after.start_core()


CHANGES = {
    "access point one ends in order, and comes back": end_access_point,
    "both gateways have other keys": change_gateway_keys,
    "an access point has another key": change_access_key,
    "nodes and gateways sign liveness with another key": change_liveness_keys,
    "gateways' pods are made anew, with other addresses": roll_out,
    "the node of a gateway is emptied, and gets it back": drain,
}
