#!/usr/bin/python3 -B
"""Writes an image as an OCI layout: what container runtimes and registries take, made with none of them.

    oci_image.py OUT --platform ARCH TAR FOLDER [--platform ...] --epoch SECONDS [--compression 1..9]

ARCH is as Go calls it, and Debian: amd64, arm64. Two layers: the root file system in TAR without what differs from day to day, and
the programs in FOLDER. The same input makes the same bytes: entries are sorted and owned by numbers, and each bears the time
SECONDS since 1970. Several platforms are one image, an index by which each machine takes its own.

    OUT/oci-layout  OUT/index.json  OUT/blobs/sha256/DIGEST

Source: https://github.com/opencontainers/image-spec, version 1.0.
"""

import argparse
import datetime
import gzip
import hashlib
import io
import json
import pathlib
import shutil
import stat
import tarfile

import image_name

# Of the base: what a container has no use for, or that tells when and where it was made. A pattern ends with "/" when all
# below a folder goes and the folder stays.
LEFT_OUT = ("dev/", "proc/", "sys/", "run/", "tmp/", "var/log/", "var/cache/", "var/tmp/", "var/lib/apt/lists/",
            "usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/lintian/", "debootstrap", "etc/hostname",
            "etc/resolv.conf", "etc/machine-id", "var/lib/dbus/machine-id", "etc/passwd-", "etc/group-", "etc/shadow-",
            "etc/gshadow-", "etc/.pwd.lock")
DOCUMENTS = "usr/share/doc/"  # of which licences stay
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def is_wanted(name):
    if name.startswith(DOCUMENTS) and name.count("/") > 3:
        return name.endswith("/copyright")
    return not any(name.startswith(each) and name != each if each.endswith("/") else name == each for each in LEFT_OUT)


def without_dates(name, content):
    """The day on which an account's password was changed is that of the installation."""
    if name != "etc/shadow":
        return content
    lines = [line.split(":") for line in content.decode().splitlines()]
    return "".join(":".join([*fields[:2], "1", *fields[3:]]) + "\n" for fields in lines).encode()


def base_entries(path):
    """(name, entry, content) of a root file system's archive; content is None for what is no file."""
    with tarfile.open(path) as archive:
        for entry in archive:
            name = entry.name.removeprefix("./")
            if name in ("", ".") or not is_wanted(name):
                continue
            entry.linkname = entry.linkname.removeprefix("./") if entry.islnk() else entry.linkname
            content = without_dates(name, archive.extractfile(entry).read()) if entry.isreg() else None
            yield name, entry, content


def tree_entries(folder):
    """The same of a folder, all of it root's."""
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        entry = tarfile.TarInfo(name)
        mode = path.lstat().st_mode
        entry.mode = stat.S_IMODE(mode)
        content = None
        if stat.S_ISLNK(mode):
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
        elif stat.S_ISDIR(mode):
            entry.type = tarfile.DIRTYPE
        else:
            content = path.read_bytes()
        yield name, entry, content


class Layout:
    """The folder that an image is written to."""

    def __init__(self, folder, epoch, compression):
        shutil.rmtree(folder, ignore_errors=True)
        self._blobs = folder / "blobs/sha256"
        self._blobs.mkdir(parents=True)
        self._folder = folder
        self._epoch = epoch
        self._compression = compression

    def add_layer(self, entries):
        """Its descriptor, and the digest of what is inside the compression."""
        part = self._folder / "layer.part"
        with open(part, "wb") as file, gzip.GzipFile("", "wb", self._compression, file, mtime=0) as packed:
            inside = Counted(packed)
            with tarfile.open(fileobj=inside, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                # a hard link comes behind what it is another name of
                for name, entry, content in sorted(entries, key=lambda each: (each[1].islnk(), each[0])):
                    self._write(archive, name, entry, content)
        digest = hashlib.sha256()
        with open(part, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        descriptor = {"mediaType": LAYER, "digest": f"sha256:{digest.hexdigest()}", "size": part.stat().st_size}
        part.rename(self._blobs / digest.hexdigest())
        return descriptor, f"sha256:{inside.digest.hexdigest()}"

    def add_json(self, kind, content):
        data = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        digest = hashlib.sha256(data).hexdigest()
        (self._blobs / digest).write_bytes(data)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    def finish(self, image):
        (self._folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        (self._folder / "index.json").write_text(json.dumps(index_of([image]), sort_keys=True))

    def _write(self, archive, name, entry, content):
        entry.name, entry.mtime, entry.uname, entry.gname = name, self._epoch, "", ""
        entry.pax_headers = {key: value for key, value in entry.pax_headers.items() if key.startswith("SCHILY.xattr.")}
        entry.size = len(content) if content is not None else 0
        archive.addfile(entry, None if content is None else io.BytesIO(content))


def index_of(manifests):
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}


class Counted:
    """A file that is written to, and the digest of what was."""

    def __init__(self, file):
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data):
        self.digest.update(data)
        return self._file.write(data)


def write_platform(layout, epoch, architecture, base, tree):
    """The descriptor of one platform's manifest."""
    layers = [layout.add_layer(base_entries(base)), layout.add_layer(tree_entries(pathlib.Path(tree)))]
    made = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = layout.add_json("application/vnd.oci.image.config.v1+json", {
        "architecture": architecture, "os": "linux", "created": made,
        "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                   "Labels": {"org.opencontainers.image.title": "holdfast", "org.opencontainers.image.version": image_name.version(),
                              "org.opencontainers.image.licenses": "Apache-2.0"}},
        "rootfs": {"type": "layers", "diff_ids": [inside for _, inside in layers]},
        "history": [{"created": made, "created_by": what} for what in ("Debian 12", "holdfast")],
    })
    manifest = layout.add_json("application/vnd.oci.image.manifest.v1+json", {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
        "layers": [descriptor for descriptor, _ in layers]})
    manifest["platform"] = {"architecture": architecture, "os": "linux"}
    return manifest


def write_image(options):
    layout = Layout(options.out, options.epoch, options.compression)
    platforms = [write_platform(layout, options.epoch, *each) for each in options.platform]
    image = platforms[0] if len(platforms) == 1 else layout.add_json(INDEX, index_of(platforms))
    # the tag; and the whole name, by which containerd imports it and manifests ask for it
    image["annotations"] = {"org.opencontainers.image.ref.name": image_name.version(),
                            "io.containerd.image.name": image_name.image_name()}
    layout.finish(image)
    return image["digest"]


def main():
    arguments = argparse.ArgumentParser(description="Writes an image as an OCI layout.")
    arguments.add_argument("out", type=pathlib.Path)
    arguments.add_argument("--platform", nargs=3, metavar=("ARCH", "TAR", "FOLDER"), action="append", required=True)
    arguments.add_argument("--epoch", type=int, required=True)
    arguments.add_argument("--compression", type=int, default=6)
    print(write_image(arguments.parse_args()))


main()
