#!/usr/bin/python3
"""What every CSI driver must answer, whatever it stores on: asked by its socket, as kubelet and the provisioner ask.

    suite.py [--parameters KEY=VALUE,...] [--size BYTES] [--kubelet DIR] [--advertised FILE] [--mount-only] [--public PROGRAM]
             SOURCE_TREE SOCKET

Each case runs for volumes with a file system and for raw ones; prints TAP. Of a driver that has no raw ones (--mount-only)
it is asked that it refuses them. Cases of what the driver does not advertise are left out; FILE lists what it must advertise,
a line each, as in "Controller.LIST_VOLUMES". PROGRAM is csi-sanity, the public suite, which runs last; where it is not there
that is told as skipped.
"""

import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/demo"))
import proto  # noqa: E402

import nodes  # noqa: E402
import public  # noqa: E402
import refusals  # noqa: E402
import volumes  # noqa: E402
from scene import Scene, connect, same  # noqa: E402


def advertises(expected):
    def case(scene):
        same(sorted(scene.capabilities), sorted(expected), "what it advertises")
    return case


def cases_of(scene, advertised, mount_only):
    offered = [(name, case) for name, case, needed in nodes.CASES + volumes.CASES
               if needed is None or needed in scene.capabilities]
    first = [("it advertises what it should", advertises(advertised))] if advertised else []
    no_raw_ones = refusals.RAW_ONES if mount_only else []
    return first + refusals.cases(scene) + no_raw_ones + offered


def failure_of(case, scene):
    """What went wrong in the case or in tidying up behind it, or ""."""
    told = []
    for step in (lambda: case(scene), scene.clear):
        try:
            step()
        except Exception as error:  # a case may fail in any way; the next one is to run all the same
            told.append(f"{type(error).__name__}: {error}")
    return "\n".join(told)


def run(name, case, scene):
    failure = failure_of(case, scene)
    print(f"{'not ok' if failure else 'ok'} {scene.access}: {name}", flush=True)
    for line in failure.splitlines():
        print("#   " + line, flush=True)
    return not failure


def pairs(text):
    return dict(pair.split("=", 1) for pair in text.split(",") if pair)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("socket")
    parser.add_argument("--parameters", type=pairs, default={})
    parser.add_argument("--size", type=int, default=16 << 20)
    parser.add_argument("--kubelet", default="/var/lib/kubelet")
    parser.add_argument("--advertised", type=pathlib.Path)
    parser.add_argument("--mount-only", action="store_true")
    parser.add_argument("--public")
    options = parser.parse_args()

    advertised = options.advertised.read_text().split() if options.advertised else []
    driver = connect(options.socket, proto.compiled(options.tree / "common/csi/proto/csi.proto", "/tmp"))
    kinds = ("mount",) if options.mount_only else ("mount", "block")
    scenes = [Scene(driver, access, options.kubelet, options.parameters, options.size) for access in kinds]
    plan = [(name, case, scene) for scene in scenes for name, case in cases_of(scene, advertised, options.mount_only)]
    passes = public.case(options.public, options.socket, options.parameters, options.kubelet)
    public_ones = [("the public suite passes", passes, scene) for scene in scenes if options.public]
    print(f"1..{len(plan) + len(public_ones)}", flush=True)
    results = [run(*each) for each in plan]
    if options.public and not public.is_there(options.public):
        for name, _, scene in public_ones:
            print(f"ok {scene.access}: {name} # SKIP there is no {options.public}", flush=True)
    else:
        results += [run(*each) for each in public_ones]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
