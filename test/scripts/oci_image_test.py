#!/usr/bin/python3 -B
"""scripts/oci_image.py: an image of several architectures is one index with one name, by which each finds its own; of one, no index."""

import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
INDEX = "application/vnd.oci.image.index.v1+json"


def write(folder, architectures):
    """The layout that is made of a base and a program of each, which say whose they are."""
    options = []
    for each in architectures:
        for part in ("etc", "usr/bin"):
            (folder / each / part).mkdir(parents=True, exist_ok=True)
        (folder / each / "etc/base").write_text(each)
        (folder / each / "usr/bin/program").write_text(each)
        with tarfile.open(folder / f"{each}.tar", "w") as archive:
            archive.add(folder / each / "etc", "./etc")
        options += ["--platform", each, folder / f"{each}.tar", folder / each]
    layout = folder / "layout"
    subprocess.run([ROOT / "scripts/oci_image.py", layout, "--epoch", "7", *options], check=True, capture_output=True, timeout=20)
    return layout


def read(layout, descriptor):
    return json.loads((layout / "blobs/sha256" / descriptor["digest"].removeprefix("sha256:")).read_bytes())


def said_by(layout, manifest):
    """The architecture that its configuration tells, and those that its files do."""
    said = [read(layout, manifest["config"])["architecture"]]
    for layer in manifest["layers"]:
        with tarfile.open(layout / "blobs/sha256" / layer["digest"].removeprefix("sha256:")) as archive:
            said += [archive.extractfile(each).read().decode() for each in archive if each.isreg()]
    return set(said)


def wrong(folder, architectures):
    layout = write(folder, architectures)
    image, = json.loads((layout / "index.json").read_text())["manifests"]
    if not image["annotations"]["io.containerd.image.name"].startswith("holdfast.invalid/holdfast:"):
        yield "it has no name"
    if (image["mediaType"] == INDEX) != (len(architectures) > 1):
        yield f"what has the name is a {image['mediaType']}"
    platforms = read(layout, image)["manifests"] if image["mediaType"] == INDEX else [image]
    if [each["platform"] for each in platforms] != [{"architecture": each, "os": "linux"} for each in architectures]:
        yield f"it is for {[each['platform'] for each in platforms]}"
    for each in platforms:
        if said_by(layout, read(layout, each)) != {each["platform"]["architecture"]}:
            yield f"what is for {each['platform']} is of {said_by(layout, read(layout, each))}"


def main():
    found = []
    for architectures in (["arm64"], ["amd64", "arm64"]):
        with tempfile.TemporaryDirectory() as folder:
            found += [f"{architectures}: {each}" for each in wrong(pathlib.Path(folder), architectures)]
    print("\n".join(found))
    sys.exit(1 if found else 0)


main()
