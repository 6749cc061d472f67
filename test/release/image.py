"""Checks of our image: python3 image.py unpack LAYOUT FOLDER ARCH | manifests FOLDER | machine FOLDER ARCH | libraries FOLDER COMMAND...

`unpack` writes the root file system that an OCI layout has for ARCH, amd64 or arm64, to FOLDER as a container engine does; the others
look at it. COMMAND, in front of the folder and another command, runs that there. Prints what is wrong, a line each, and fails when there
is something.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import manifests

PATH = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin")
INDEX = "application/vnd.oci.image.index.v1+json"
STATIC = ("not a dynamic executable", "statically linked")  # as ldd(1) says it
MACHINES = {"amd64": 62, "arm64": 183}  # e_machine of elf(5)


def blob(layout, descriptor):
    """Its path, when it is what the descriptor says."""
    kind, digest = descriptor["digest"].split(":")
    path = layout / "blobs" / kind / digest
    data = path.read_bytes()
    if kind != "sha256" or hashlib.sha256(data).hexdigest() != digest or len(data) != descriptor["size"]:
        raise ValueError(f"{path} is not {descriptor}")
    return path


def manifest_for(layout, image, architecture):
    """What the descriptor `image` leads to for a machine of that architecture: an index by its platform."""
    if image["mediaType"] == INDEX:
        platforms = json.loads(blob(layout, image).read_text())["manifests"]
        image = next(each for each in platforms if each["platform"] == {"architecture": architecture, "os": "linux"})
    return json.loads(blob(layout, image).read_text())


def unpack(layout, folder, architecture):
    """The layers one above the other, its name, and where programs are looked for. Whiteouts are of no use in a new image."""
    layout, folder = pathlib.Path(layout), pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    if json.loads((layout / "oci-layout").read_text()) != {"imageLayoutVersion": "1.0.0"}:
        yield "oci-layout tells another version"
    image, = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = manifest_for(layout, image, architecture)
    name = image["annotations"]["io.containerd.image.name"]
    if name != manifests.OURS:
        yield f"it is called {name}, and not {manifests.OURS}"
    config = json.loads(blob(layout, manifest["config"]).read_text())
    if config["architecture"] != architecture:
        yield f"its configuration is of {config['architecture']}, and not of {architecture}"
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
    root = pathlib.Path(root)
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


def wrong_machine(root, architecture):
    """Programs and libraries of another processor, by their headers."""
    seen = set()
    for folder, _, names in os.walk(root):
        for path in (pathlib.Path(folder) / name for name in names):
            if not path.is_file() or path.is_symlink():
                continue
            with path.open("rb") as file:
                header = file.read(20)
            if header[:4] != b"\x7fELF":
                continue
            seen.add(path.name)
            if int.from_bytes(header[18:20], "little") != MACHINES[architecture]:
                yield f"{path} is not of {architecture}"
    yield from (f"there is no program {name}" for name in ("flannel", "flanneld", "csi-node", "lvm") if name not in seen)


def wrong_libraries(root, *command):
    """Programs that do not find what they are linked with, in the image itself."""
    root = pathlib.Path(root)
    for program in sorted((root / "usr/bin").iterdir()) + sorted((root / "opt/cni/bin").iterdir()):
        if program.name not in ours() or program.is_symlink():
            continue
        said = subprocess.run([*command, root, "ldd", f"/{program.relative_to(root)}"], capture_output=True, text=True, timeout=60)
        yield from (f"{program.name}: {line.strip()}" for line in said.stdout.splitlines() if "not found" in line)
        if "libc.so" not in said.stdout and not any(each in said.stdout + said.stderr for each in STATIC):
            yield f"{program.name}: {said.stdout}{said.stderr}"


def ours():
    return {path.name for path in (manifests.TREE / "build/bin").iterdir()}


def main():
    verb, *words = sys.argv[1:]
    checks = {"unpack": unpack, "manifests": wrong_in_manifests, "machine": wrong_machine, "libraries": wrong_libraries}
    wrong = list(checks[verb](*words))
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
