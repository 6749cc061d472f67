"""Checks of the gateway's programs in the scene of its demo, as TAP:

    gateway_story.py faults FOLDER

`faults`: each of the demo's faults once, of whoever is in use. What the programs say is left in FOLDER.
"""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/demo"))
import gateway_faults  # noqa: E402
import gateway_site  # noqa: E402
import namespaces  # noqa: E402

# How long a busy machine may be silent; ./run bench gateway holds the real bar.
MOST_SILENT_SECONDS = 10


def answers(run, address):
    try:
        run("ping", "-c", "1", "-W", "0.3", "-q", address)
        return True
    except RuntimeError:
        return False


def reaches_both_ways(world):
    return answers(world.in_pod, gateway_site.HOST) and answers(world.host.run, world.pod_address)


class Survival:
    """One fault at a time, of a gateway or access point that is in use."""

    def __init__(self, world):
        self._world = world
        self._connection = gateway_faults.Connection(world)

    def survive(self, fault):
        world = self._world
        if fault.role == "gateway":
            world.wait_settled()  # or the other one, which went down before, would have to prove itself first
        world.wait_until(world.used, "not all agree on a gateway and an access point")
        victim = world.used()[fault.role]
        stream = gateway_site.Stream(world)
        fault.harm(world, victim)
        try:
            world.wait_until(lambda: victim not in world.ways().values(), f"{victim} is still sent to")
            world.wait_until(lambda: reaches_both_ways(world), "pod and VPC do not reach each other")
        finally:
            fault.repair(world, victim)
        for direction, arrivals in stream.stop().items():
            if arrivals.twice() or arrivals.longest_gap() > MOST_SILENT_SECONDS:
                raise RuntimeError(f"{direction}: {arrivals.twice()} came twice, nothing for {arrivals.longest_gap():.1f} s")

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


# How many checks, and who tells them: (sentence, check), of which each is made before the next is asked for.
STORIES = {"faults": (8, tell_faults)}


def tell(story, folder):
    count, checks = STORIES[story]
    print(f"1..{count}", flush=True)
    for sentence, check in checks(gateway_site.World(folder)):
        try:
            check()
            print(f"ok {sentence}", flush=True)
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            print(f"not ok {sentence}\n#   {error}", flush=True)


def main():
    namespaces.enter(str(pathlib.Path(__file__).resolve()))
    story, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tell(story, folder)


main()
