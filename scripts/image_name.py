#!/usr/bin/python3 -B
"""What our image is called, in one place: python3 image_name.py prints REPOSITORY:VERSION.

Manifests, the Helm chart and egw-controller name it so, and containerd imports the archive of `./run image` by this name: it is then on
the node, where kubelet looks for it first. Nobody can publish below .invalid (RFC 6761, 6.4), so that no node ever runs what a public
registry has by a name like ours.
"""

import pathlib
import re

REPOSITORY = "holdfast.invalid/holdfast"


def version():
    """That of CMakeLists.txt."""
    text = (pathlib.Path(__file__).resolve().parents[1] / "CMakeLists.txt").read_text()
    return re.search(r"^project\(holdfast VERSION ([0-9.]+)", text, re.MULTILINE)[1]


def image_name():
    return f"{REPOSITORY}:{version()}"


if __name__ == "__main__":
    print(image_name())
