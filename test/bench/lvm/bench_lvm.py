#!/usr/bin/python3
"""csi-lvm on LVM itself, in a guest, beside what people start by hand.

    bench_lvm [--gate]

CreateVolume beside lvcreate(8) started for each volume; 64 calls at once; NodeStageVolume of a formatted volume beside
mount(8) of the same; GetCapacity; a start with 200 volumes; memory, and whether lvmcmd leaves when it has nothing to
do. Prints one JSON line on standard output and the figures beside their bars on standard error. Exit status: 0; 1
when something failed, and with --gate also when a bar is missed.
"""

import json
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "test/demo"))
sys.dont_write_bytecode = True
import guest  # noqa: E402
import storage  # noqa: E402

WORK = ROOT / "out/bench/lvm"
SECONDS = 900


def measure():
    node = guest.Guest(WORK / "node", "shop-1")
    try:
        disks = storage.make_disks(WORK, {"first": 2 << 30, "second": 2 << 30, "system": 128 << 20})
        storage.boot(node, list(disks.values()))
        lines = []
        script = pathlib.Path(__file__).resolve().with_name("lvm_figures.py")
        try:
            node.run(f"exec /usr/bin/python3 -B {script} {ROOT}", SECONDS, lines.append)
        except RuntimeError as error:
            raise RuntimeError("\n".join([str(error), *lines[-20:]])) from error
    finally:
        node.cut_power()
    return json.loads(lines[-1])


def bars_of(figures):
    """(name, value, limit), all of them at most."""
    stage = figures["stage_ms"]["p50"] - figures["mount_ms"]["p50"]
    return [
        ("create_ratio", figures["create_ms"]["p50"] / figures["lvcreate_ms"]["p50"], 0.6),
        ("many_seconds", figures["many_seconds"], 15),
        ("many_refused", 64 - figures["many_ok"], 0),
        ("many_left", figures["many_left"], 0),
        ("stage_more_than_mount_ms", stage, 60),
        ("capacity_p99_ms", figures["capacity_ms"]["p99"], 2),
        ("start_200_seconds", figures["start_200_seconds"], 1),
        ("rss_200_kib", figures["with_200"]["rss_kib"], 24 * 1024),
        ("lvmcmd_rss_kib", max([each["rss_kib"] for each in figures["lvmcmd"]], default=0), 12 * 1024),
        ("lvmcmd_left", figures["lvmcmd_left"], 0),
    ]


def report(figures, gate):
    bars = [{"name": name, "value": round(value, 3), "limit": limit, "pass": value <= limit}
            for name, value, limit in bars_of(figures)]
    for bar in bars:
        print(f"{'pass' if bar['pass'] else 'MISS'}  {bar['name']:26} {bar['value']:9}  limit {bar['limit']}",
              file=sys.stderr)
    print(json.dumps({"bench": "lvm", **figures, "bars": bars}))
    return 0 if not gate or all(bar["pass"] for bar in bars) else 1


def main():
    if sys.argv[1:] not in ([], ["--gate"]):
        print(__doc__, file=sys.stderr)
        sys.exit(0 if "--help" in sys.argv else 2)
    shutil.rmtree(WORK, ignore_errors=True)  # what an earlier run left that was killed
    WORK.mkdir(parents=True)
    try:
        status = report(measure(), gate="--gate" in sys.argv)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"bench_lvm: {error}")
    shutil.rmtree(WORK, ignore_errors=True)
    sys.exit(status)


main()
