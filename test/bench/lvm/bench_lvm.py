#!/usr/bin/python3
"""csi-lvm on LVM itself, in a guest, beside what people start by hand.

    bench_lvm [--gate]

CreateVolume beside lvcreate(8) started for each volume; 64 calls at once, beside LVM alone; NodeStageVolume of a
formatted volume beside mount(8) of the same; GetCapacity beside a call that does nothing; starts with 200 volumes;
memory, and whether lvmcmd leaves when it has nothing to do. Prints one JSON line on standard output and the figures
beside their bars on standard error. Exit status: 0; 1 when something failed, and with --gate also when a bar is
missed.
"""

import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "test/demo"), str(ROOT / "test/bench")]
sys.dont_write_bytecode = True
import bars  # noqa: E402
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


def measure_calls():
    """What needs no LVM, on this machine."""
    program = pathlib.Path(sys.argv[0]).with_name("lvm_capacity_calls")
    done = subprocess.run([program], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{program}: {done.stderr}")
    return json.loads(done.stdout)


def bars_of(figures):
    """As bars.report() takes them."""
    create, lvcreate = figures["create_ms"]["p50"], figures["lvcreate_ms"]["p50"]
    stage, mount = figures["stage_ms"]["p50"], figures["mount_ms"]["p50"]
    many, start = figures["many_seconds"], figures["start_200_seconds"]
    capacity, nothing = (figures["calls"][name]["p99"] for name in ("capacity_ms", "nothing_ms"))
    return [
        ("create_ratio", create / lvcreate, 0.6, (create, lvcreate)),
        ("many_seconds", many, 15, (many, figures["many_floor_seconds"])),
        ("many_refused", 64 - figures["many_ok"], 0, None),
        ("many_left", figures["many_left"], 0, None),
        ("stage_more_than_mount_ms", stage - mount, 60, (stage, mount)),
        ("capacity_p99_ms", capacity, 2, (capacity, nothing)),
        ("start_200_seconds", start, 1, (start, figures["report_200_seconds"])),
        ("rss_200_kib", figures["with_200"]["rss_kib"], 24 * 1024, None),
        ("lvmcmd_rss_kib", max([each["rss_kib"] for each in figures["lvmcmd"]], default=0), 12 * 1024, None),
        ("lvmcmd_left", figures["lvmcmd_left"], 0, None),
    ]


def main():
    if sys.argv[1:] not in ([], ["--gate"]):
        print(__doc__, file=sys.stderr)
        sys.exit(0 if "--help" in sys.argv else 2)
    shutil.rmtree(WORK, ignore_errors=True)  # what an earlier run left that was killed
    WORK.mkdir(parents=True)
    try:
        figures = {"calls": measure_calls(), **measure()}
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        sys.exit(f"bench_lvm: {error}")
    shutil.rmtree(WORK, ignore_errors=True)
    sys.exit(bars.report("lvm", figures, bars_of(figures), gate="--gate" in sys.argv))


main()
