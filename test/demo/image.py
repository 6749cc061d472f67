"""Makes a container image of one static busybox, without a registry: a tar file as `docker save` writes it."""

import hashlib
import io
import json
import tarfile

NAME = "localhost/holdfast-demo:1"
APPLETS = ("sh", "cat", "echo", "hostname", "httpd", "ip", "kill", "ping", "ps", "sleep", "wget")
# Process 1 of a container ignores signals that it does not handle; this one ends when it is asked to.
IDLE = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"]


def _add(archive, name, content=b"", mode=0o755, kind=tarfile.REGTYPE, target=""):
    member = tarfile.TarInfo(name)
    member.mode, member.type, member.linkname, member.size = mode, kind, target, len(content)
    archive.addfile(member, io.BytesIO(content))


def _layer(busybox):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            _add(archive, folder, kind=tarfile.DIRTYPE)
        _add(archive, "bin/busybox", busybox)
        for applet in APPLETS:
            _add(archive, f"bin/{applet}", kind=tarfile.SYMTYPE, target="busybox")
        _add(archive, "etc/passwd", b"root:x:0:0::/:/bin/sh\n", mode=0o644)
    return buffer.getvalue()


def write(path, busybox_path="/bin/busybox"):
    with open(busybox_path, "rb") as file:
        layer = _layer(file.read())
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": IDLE, "Env": ["PATH=/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [NAME], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, content in (("layer.tar", layer), (config_name, config), ("manifest.json", manifest)):
            _add(archive, name, content, mode=0o644)
