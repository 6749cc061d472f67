"""kubectl and helm, as scripts/kube_tools.sh unpacks them."""

import os
import pathlib
import subprocess
import tempfile

TREE = pathlib.Path(__file__).resolve().parents[2]
FOLDER = TREE / "build/kube_tools"
SECONDS = 60


class Failed(Exception):
    """What a tool said, its exit status being none of success."""


def environment(home, kubeconfig="/dev/null"):
    """Nothing of this machine's users is read, and nothing is written but in `home`."""
    return {"PATH": f"{FOLDER}:{os.environ['PATH']}", "HOME": str(home), "KUBECONFIG": str(kubeconfig), "HELM_QPS": "1000"}


def output_of(tool, *arguments, cwd=TREE):
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run([FOLDER / tool, *map(str, arguments)], cwd=cwd, env=environment(home), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=SECONDS)
    if done.returncode != 0:
        raise Failed(f"{tool} {' '.join(map(str, arguments))}: exit status {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def failures_of(tool, *arguments):
    """The failure, if it is one."""
    try:
        output_of(tool, *arguments)
    except Failed as error:
        yield error
