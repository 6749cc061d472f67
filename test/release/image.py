"""Checks of our image: python3 image.py unpack LAYOUT FOLDER | manifests FOLDER | libraries FOLDER.

`unpack` writes the root file system of an OCI layout to FOLDER as a container engine does; the others look at it. Prints what is
wrong, a line each, and fails when there is something.
"""

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile

import manifests

PATH = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin")


def blob(layout, descriptor):
    """Its path, when it is what the descriptor says."""
    kind, digest = descriptor["digest"].split(":")
    path = layout / "blobs" / kind / digest
    data = path.read_bytes()
    if kind != "sha256" or hashlib.sha256(data).hexdigest() != digest or len(data) != descriptor["size"]:
        raise ValueError(f"{path} is not {descriptor}")
    return path


def unpack(layout, folder):
    """The layers one above the other, its name, and where programs are looked for. Whiteouts are of no use in a new image."""
    if json.loads((layout / "oci-layout").read_text()) != {"imageLayoutVersion": "1.0.0"}:
        yield "oci-layout tells another version"
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(blob(layout, index["manifests"][0]).read_text())
    name = index["manifests"][0]["annotations"]["io.containerd.image.name"]
    if name != manifests.OURS:
        yield f"it is called {name}, and not {manifests.OURS}"
    config = json.loads(blob(layout, manifest["config"]).read_text())
    if len(config["rootfs"]["diff_ids"]) != len(manifest["layers"]):
        yield "the configuration does not tell of each layer"
    for descriptor in manifest["layers"]:
        with tarfile.open(blob(layout, descriptor)) as archive:
            if any(entry.mtime != archive.members[0].mtime or entry.uname for entry in archive.getmembers()):
                yield "a layer tells when or by whom it was made"
            archive.extractall(folder)
    told = dict(each.split("=", 1) for each in config["config"]["Env"])["PATH"].split(":")
    missing = [each for each in PATH if f"/{each}" not in told]
    if missing:
        yield f"not in its PATH: {missing}"


def wrong_in_manifests(root):
    """What containers of ours run, and what their scripts copy."""
    for where, pod, _ in manifests.pods():
        for container in manifests.containers_of(pod):
            if container["image"] != manifests.OURS:
                continue
            words = [*container["command"], *container.get("args", [])]
            program = words[0]
            if not any((root / each / program.lstrip("/")).exists() for each in ("", *PATH)):
                yield f"{where}: container {container['name']}: the image has no {program}"
            for word in " ".join(words).split():
                if word.startswith(("/opt/", "/usr/")) and not (root / word.lstrip("/")).exists():
                    yield f"{where}: container {container['name']}: the image has no {word}"


def wrong_libraries(root):
    """Programs that do not find what they are linked with, in the image itself."""
    for program in sorted((root / "usr/bin").iterdir()) + sorted((root / "opt/cni/bin").iterdir()):
        if program.name not in ours() or program.is_symlink():
            continue
        said = subprocess.run(["chroot", root, "ldd", f"/{program.relative_to(root)}"], capture_output=True, text=True, timeout=20)
        yield from (f"{program.name}: {line.strip()}" for line in said.stdout.splitlines() if "not found" in line)


def ours():
    return {path.name for path in (manifests.TREE / "build/bin").iterdir()}


def main():
    verb, *paths = sys.argv[1:]
    if verb == "unpack":
        shutil.rmtree(paths[1], ignore_errors=True)
    wrong = list({"unpack": unpack, "manifests": wrong_in_manifests, "libraries": wrong_libraries}[verb](*map(pathlib.Path, paths)))
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
