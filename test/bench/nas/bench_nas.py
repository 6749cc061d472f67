#!/usr/bin/python3
"""csi-node with NFS volumes, on the kernel's NFS server, in a guest, beside what people start by hand.

    bench_nas [--gate]

NodeStageVolume beside mount.nfs of the same share; NodePublishVolume of a staged volume beside mount --bind; a hundred
volumes on five servers: file systems and memory; calls while one of the servers is dead. Prints one JSON line on
standard output and the figures beside their bars on standard error. Exit status: 0; 1 when something failed, and with
--gate also when a bar is missed.
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

WORK = ROOT / "out/bench/nas"
SECONDS = 600
SERVERS = 5


def measure():
    WORK.mkdir(parents=True)
    node = guest.Guest(WORK / "node", "edge-1")
    try:
        node.boot([])
        lines = []
        script = pathlib.Path(__file__).resolve().with_name("nas_figures.sh")
        try:
            node.run(f"exec bash {script}", SECONDS, lines.append)
        except RuntimeError as error:
            raise RuntimeError("\n".join([str(error), *lines[-20:]])) from error
    finally:
        node.cut_power()
    return json.loads(lines[-1])


def bars_of(figures):
    """As bars.report() takes them."""
    publish, bind = figures["publish_ms"], figures["mount_bind_ms"]
    out = [("publish_p99_ms", publish["p99"], 20, (publish["p50"], bind["p50"]))]
    for vers, stage in figures["stage_ms"].items():
        ours, theirs = stage["p50"], figures["mount_nfs_ms"][vers]["p50"]
        out.append((f"stage_{vers}_ratio", ours / theirs, 1.2, (ours, theirs)))
    out.append(("superblocks_off_five", abs(figures["superblocks"] - SERVERS), 0, None))
    out.append(("rss_100_kib", figures["with_100"]["rss_kib"], 24 * 1024, None))
    for call, dead in figures["beside_dead_ms"].items():
        alive = figures["all_alive_ms"][call]
        out.append((f"dead_{call}_p99_ms", dead["p99"], 20, (dead["p50"], alive["p50"])))
    return out


def main():
    if sys.argv[1:] not in ([], ["--gate"]):
        print(__doc__, file=sys.stderr)
        sys.exit(0 if "--help" in sys.argv else 2)
    shutil.rmtree(WORK, ignore_errors=True)  # what an earlier run left that was killed
    try:
        figures = measure()
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        sys.exit(f"bench_nas: {error}")
    shutil.rmtree(WORK, ignore_errors=True)
    sys.exit(bars.report("nas", figures, bars_of(figures), gate="--gate" in sys.argv))


main()
