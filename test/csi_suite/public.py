"""The public test suite of CSI drivers (csi-sanity of csi-test), before the same driver. Where it is not there that is told
as a check that was skipped."""

import os
import pathlib
import subprocess
import tempfile

SECONDS = 240
LINES = 60


def is_there(program):
    return os.access(program, os.X_OK)


def case(program, socket, parameters, kubelet):
    """A case as of the suite's own (scene.py)."""
    def run(scene):
        with tempfile.TemporaryDirectory(prefix="csi-sanity-") as folder:
            words = pathlib.Path(folder) / "parameters"
            words.write_text("".join(f'{key}: "{value}"\n' for key, value in parameters.items()))
            done = subprocess.run(
                [program, f"--csi.endpoint={socket}", f"--csi.testvolumeparameters={words}",
                 f"--csi.testvolumeaccesstype={scene.access}", f"--csi.testvolumesize={scene.size}",
                 f"--csi.testvolumeexpandsize={2 * scene.size}", f"--csi.mountdir={kubelet}/sanity-target",
                 f"--csi.stagingdir={kubelet}/sanity-staging"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
        if done.returncode != 0:
            raise AssertionError("\n".join(done.stdout.splitlines()[-LINES:]))
    return run
