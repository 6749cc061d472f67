#!/usr/bin/python3
"""csi-disk on a cloud that is disk-sim, on this machine.

    bench_disk [--gate]

The controller alone, by 64 workers: cycles of create, attach, detach and delete, what each costs in calls of the cloud's API,
and its memory with 5,000 disks. Then the programs as they are shipped, with disks that are loop devices: 1,000 cycles of
create, attach, stage (formatted), unstage, detach and delete by 64 workers, and what each costs in calls of the cloud's API;
and 16 disks that are attached and staged at once, beside the cloud's API and mount(2). An operation, of which describes are
told, is one that the cloud is asked for: a cycle has four, as staging and unstaging ask it nothing; every DescribeDisks
counts, by id and by name. Prints one JSON line on standard output and the figures beside their bars on standard error. Exit
status: 0; 1 when something failed, and with --gate also when a bar is missed.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "test/demo"), str(ROOT / "test/bench")]
sys.dont_write_bytecode = True
import bars  # noqa: E402
import measuring  # noqa: E402

MARK = "HOLDFAST_BENCH_INSIDE"
BINARIES = pathlib.Path(os.environ.get("HOLDFAST_BIN", ROOT / "build/bin"))
LOGS = ROOT / "out/bench/disk"
WORK = LOGS / "memory"  # in memory, so that what is measured is not this machine's disk
PORT = 8080
URL = f"http://127.0.0.1:{PORT}"
SECONDS = 600
START_SECONDS = 30
OPERATIONS = 4  # of a cycle: create, attach, detach and delete
MANY = 128  # disks that the one node may have, as all workers use it


def enter_namespaces():
    """Again in namespaces that end with this program: its mounts, ports and programs do, too."""
    if MARK in os.environ:
        return
    os.environ[MARK] = "1"
    os.execvp("setpriv", ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork",
                          "--kill-child=KILL", "--mount-proc", sys.executable, *sys.argv])


class Site:
    """disk-sim and csi-disk, each a process."""

    def __init__(self, socket):
        self.socket = socket
        self._programs = {}
        self._mark = 0

    def start(self):
        (WORK / "account.json").write_text(json.dumps({"AccessKeyId": "sim-id", "AccessKeySecret": "sim-secret"}))
        self._run("disk-sim", f"--port={PORT}", f"--state={WORK}/disks.state", f"--devices={WORK}/devices",
                  "--nodes=i-1@sim-1a")
        wait_until(lambda: tell("nodes", {"i-1": {"zone": "sim-1a", "most": MANY}}), "disk-sim serves")
        tell("quota", {"disks": 10000})
        kubelet = WORK / "kubelet"
        for name in ("pods", "plugins_registry"):
            (kubelet / name).mkdir(parents=True)
        self._run("csi-disk", "--profile=sim", "--mode=all", f"--endpoint=unix://{self.socket}", "--node-id=edge-1",
                  "--instance-id=i-1", "--zone=sim-1a", "--region=sim-1", "--cloud-region=sim-1",
                  f"--cloud-endpoint={URL}", f"--cloud-credentials={WORK}/account.json", f"--by-id={WORK}/devices/by-id",
                  f"--kubelet-dir={kubelet}", f"--state-dir={WORK}/state")
        wait_until(self.socket.exists, "csi-disk serves")

    def _run(self, program, *flags):
        log = open(LOGS / f"{program}.log", "ab")
        self._programs[program] = subprocess.Popen([BINARIES / program, *flags], stdin=subprocess.DEVNULL, stdout=log,
                                                   stderr=log)

    def figures(self):
        return measuring.process_figures(self._programs["csi-disk"].pid)

    def end(self):
        """disk-sim takes its devices away."""
        for program in self._programs.values():
            program.terminate()
        for program in self._programs.values():
            program.wait(timeout=START_SECONDS)


def wait_until(holds, what):
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {START_SECONDS} s: {what}")
        time.sleep(0.05)


def tell(what, body):
    request = urllib.request.Request(f"{URL}/sim/{what}", json.dumps(body).encode(), method="POST")
    try:
        return urllib.request.urlopen(request, timeout=5).status == 200
    except OSError:
        return False


def ask(what):
    return json.loads(urllib.request.urlopen(f"{URL}/sim/{what}", timeout=5).read())


def run(name, *words):
    program = pathlib.Path(sys.argv[0]).with_name(name)
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr}; what the programs said is in {LOGS}")
    return json.loads(done.stdout)


def measure():
    out = {"controller": run("disk_controller_calls")}
    with tempfile.TemporaryDirectory() as folder:
        site = Site(pathlib.Path(folder) / "csi.sock")
        try:
            site.start()
            out["stages"] = run("disk_volume_cycles", "stages", site.socket, WORK, URL)
            before = ask("calls")
            out["cycles"] = run("disk_volume_cycles", "cycles", site.socket, WORK)
            calls = {name: count - before.get(name, 0) for name, count in ask("calls").items()}
            out["cycles"]["calls_per_cycle"] = {name: round(count / out["cycles"]["cycles"], 3)
                                                for name, count in {**calls, "all": sum(calls.values())}.items()}
            out["csi_disk"] = site.figures()
            out["disks_left"] = len(ask("state")["disks"])
        finally:
            site.end()
    return out


def bars_of(figures):
    """As bars.report() takes them."""
    controller, cycles, stages = figures["controller"], figures["cycles"], figures["stages"]
    staged, mounted = (stages[name]["p50"] for name in ("attach_and_stage_ms", "api_attach_and_mount_ms"))
    describes, of_controller = (each["calls_per_cycle"]["DescribeDisks"] / OPERATIONS for each in (cycles, controller))
    return [
        ("cycle_seconds", 1 / cycles["cycles_per_second"], 1 / 20, None),
        ("controller_cycle_seconds", 1 / controller["cycles_per_second"], 1 / 20, None),
        ("describes_per_operation", describes, 0.2, None),
        ("controller_describes_per_operation", of_controller, 0.2, None),
        ("attach_and_stage_more_than_api_and_mount_ms", staged - mounted, 50, (staged, mounted)),
        ("rss_5000_kib", controller["rss_kib"], 40 * 1024, None),
        ("disks_left", figures["disks_left"], 0, None),
    ]


def main():
    if sys.argv[1:] not in ([], ["--gate"]):
        print(__doc__, file=sys.stderr)
        sys.exit(0 if "--help" in sys.argv else 2)
    enter_namespaces()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    shutil.rmtree(LOGS, ignore_errors=True)
    WORK.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "disks", WORK], check=True)
    (WORK / "devices").mkdir()
    try:
        figures = measure()
    except RuntimeError as error:
        print(f"bench_disk: {error}", file=sys.stderr)
        sys.exit(1)
    sys.exit(bars.report("disk", figures, bars_of(figures), "--gate" in sys.argv))


if __name__ == "__main__":
    main()
