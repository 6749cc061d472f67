"""Starts every container of ours that a cluster has, under runc, as kubelet does: python3 containers.py ROOT FOLDER

ROOT is the image's root file system. Each has the command, the rights and the folders that its manifest asks for, or the object that
egw-controller makes; its namespaces are its own, the network its pod's, what is the node's there is an empty folder in FOLDER, and the
API server is not reached. An init container is to end well, and each other to answer its liveness probe. Prints what is wrong, a line
each, and fails when there is something.
"""

import base64
import json
import pathlib
import subprocess
import sys
import time

import yaml

import manifests

sys.path.insert(0, str(manifests.TREE / "test/demo"))
import namespaces  # noqa: E402

PATIENCE = 30  # seconds
COMMAND_SECONDS = 20
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "KUBERNETES_SERVICE_HOST": "192.0.2.1",
               "KUBERNETES_SERVICE_PORT": "443", "NODE_NAME": "edge-1", "POD_IPS": "10.244.1.2"}
# What a container has that asks for nothing. Source: containerd, oci/spec.go, defaultUnixCaps.
USUAL = ("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
         "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE")
# By their numbers, capabilities(7).
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
    "PERFMON", "BPF", "CHECKPOINT_RESTORE")
SYSTEM_MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
]
# In the place of the layer that a container writes to unless its root is read-only.
WRITABLE = {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}
# What is asked of the API server before all else, and would be waited for.
TOLD = {"csi-disk": ["--cluster-id=edge"]}
# What egw-controller makes of a NodePool, of an image that is called by this name there.
MADE = manifests.TREE / "test/fixtures/egw-controller/pool.yaml"
MADE_OF = "image: holdfast\n"
# A pod's interfaces; a pod that has the node's network sees no others here.
NETWORK = "ip link set lo up && ip link add eth0 type bridge && echo made && exec sleep infinity"
# What is in Secrets, by the names of files.
SECRETS = {"privateKey": base64.b64encode(bytes(31) + b"1"), "keys": b"1 " + b"0" * 20 + b"\n"}
SECRETS["private-key"] = SECRETS["privateKey"]
# What containerd gives only to privileged containers. Source: containerd, oci/spec.go, populateDefaultUnixSpec.
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def possible():
    """The capabilities that this process can give."""
    status = pathlib.Path("/proc/self/status").read_text()
    bits = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:")), 16)
    return {name for number, name in enumerate(CAPABILITIES) if bits >> number & 1}


def granted(context):
    """Those that a container of this securityContext gets."""
    if context.get("privileged"):
        return possible()
    asked = context.get("capabilities", {})
    dropped = set(asked.get("drop", []))
    return (set() if "ALL" in dropped else set(USUAL) - dropped) | set(asked.get("add", []))


def config_maps():
    return {document["metadata"]["name"]: document["data"] for _, document in manifests.documents() if document["kind"] == "ConfigMap"}


class Pod:
    """Its volumes, as folders, and the network that its containers share."""

    def __init__(self, folder, spec, known):
        self._folder = folder
        self._spec = spec
        self._known = known
        self._holder = subprocess.Popen(["unshare", "--net", "sh", "-c", NETWORK], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        if self._holder.stdout.readline() != "made\n":
            raise RuntimeError(f"{folder.name}: its network cannot be made")
        self.network = f"/proc/{self._holder.pid}/ns/net"

    def stop(self):
        self._holder.kill()
        self._holder.wait()

    def source(self, name):
        volume = next(each for each in self._spec["volumes"] if each["name"] == name)
        path = self._folder / "volumes" / name
        if volume.get("hostPath", {}).get("type", "").startswith("File"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            return path
        path.mkdir(parents=True, exist_ok=True)
        for file, content in self._known.get(volume.get("configMap", {}).get("name"), {}).items():
            (path / file).write_text(content)
        if "secret" in volume:
            for item in volume["secret"].get("items", [{"path": "privateKey"}]):
                (path / item["path"]).write_bytes(SECRETS[item["path"]])
        return path


class Container:
    """One, from its start on."""

    def __init__(self, root, account, pod, folder, spec):
        self.name = f"{folder.parent.name}-{folder.name}"
        self._spec = spec
        self._folder = folder
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(self._configuration(root, account, pod)))
        with open(folder / "log", "wb") as log:
            self._runc = subprocess.Popen(
                ["runc", "--root", folder / "runc", "run", "--bundle", folder, "--pid-file", folder / "pid", self.name],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _configuration(self, root, account, pod):
        context = self._spec.get("securityContext", {})
        rights = [f"CAP_{name}" for name in sorted(granted(context))]
        binds = [bind(account, ACCOUNT, read_only=True)]
        for mount in self._spec.get("volumeMounts", []):
            if mount["mountPath"] == "/dev":  # it has the machine's devices; those of this machine are none of ours
                continue
            binds.append(bind(pod.source(mount["name"]), mount["mountPath"], mount.get("readOnly", False)))
        # as containerd, what lies deeper comes later
        read_only = context.get("readOnlyRootFilesystem", False)
        mounts = [*SYSTEM_MOUNTS, *([] if read_only else [WRITABLE]), *sorted(binds, key=lambda each: each["destination"].count("/"))]
        return {
            "ociVersion": "1.0.2", "hostname": "edge-1",
            "root": {"path": str(root), "readonly": read_only},
            "process": {
                "args": [word.replace("$(NODE_NAME)", ENVIRONMENT["NODE_NAME"]) for word in self._words()],
                "cwd": "/", "user": {"uid": 0, "gid": 0},
                "env": [f"{key}={value}" for key, value in ENVIRONMENT.items()],
                "noNewPrivileges": not context.get("allowPrivilegeEscalation", True),
                "capabilities": {kind: rights for kind in ("bounding", "effective", "permitted")}},
            "mounts": mounts,
            "linux": {"readonlyPaths": [] if context.get("privileged") else READ_ONLY,
                      "namespaces": [{"type": "network", "path": pod.network},
                                     *({"type": kind} for kind in ("pid", "mount", "ipc", "uts"))]},
        }

    def _words(self):
        command = self._spec["command"]
        return [*command, *self._spec.get("args", []), *TOLD.get(command[0], [])]

    def complaint(self):
        """What is wrong with it, when that is known; empty when nothing is."""
        probe = self._spec.get("livenessProbe")
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            status = self._runc.poll()
            if status is not None and (probe or status != 0):
                return f"{self.name} ends with status {status}: {self._last_words()}"
            if status == 0 or (probe and self._is_alive(probe["httpGet"])):
                return ""
            time.sleep(0.1)
        return f"{self.name}: after {PATIENCE} s it has not ended, nor is alive: {self._last_words()}"

    def _is_alive(self, probe):
        pid = self._folder / "pid"
        if not pid.exists():
            return False
        ports = {port["name"]: port["containerPort"] for port in self._spec.get("ports", [])}
        page = f"http://127.0.0.1:{ports.get(probe['port'], probe['port'])}{probe['path']}"
        done = subprocess.run(["nsenter", f"--net=/proc/{pid.read_text()}/ns/net", "busybox", "wget", "-q", "-O", "-", page],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS)
        return done.returncode == 0

    def _last_words(self):
        return " / ".join((self._folder / "log").read_text(errors="replace").splitlines()[-3:])

    def stop(self):
        subprocess.run(["runc", "--root", self._folder / "runc", "delete", "--force", self.name], stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=COMMAND_SECONDS)
        self._runc.wait(timeout=COMMAND_SECONDS)


def bind(source, destination, read_only):
    return {"destination": destination, "type": "bind", "source": str(source), "options": ["rbind", "ro" if read_only else "rw"]}


def write_account(folder):
    """What each pod has of its service account."""
    folder.mkdir(parents=True)
    (folder / "token").write_text("a-token")
    (folder / "namespace").write_text("kube-system")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=ca",
                    "-keyout", folder / "key", "-out", folder / "ca.crt"], check=True, capture_output=True, timeout=COMMAND_SECONDS)


def pods():
    """(a name of its own, pod spec)"""
    for where, spec, _ in manifests.pods():
        file, name = where.split(": ")
        yield f"{pathlib.Path(file).parent.name}-{name}", spec
    for document in yaml.safe_load_all(MADE.read_text().replace(MADE_OF, f"image: {manifests.OURS}\n")):
        if document["kind"] in manifests.WORKLOADS:
            yield f"egw-controller-{document['metadata']['name']}", document["spec"]["template"]["spec"]


def wrong(root, folder):
    account = folder / "account"
    write_account(account)
    known = config_maps()
    started = []
    waiting = []
    try:
        for name, spec in pods():
            pod = Pod(folder / name, spec, known)
            started.append(pod)
            # init containers end before others begin
            for kind in ("initContainers", "containers"):
                begun = [Container(root, account, pod, folder / name / each["name"], each)
                         for each in spec.get(kind, []) if each["image"] == manifests.OURS]
                waiting += begun
                if kind == "initContainers":
                    yield from filter(None, [container.complaint() for container in begun])
        print(f"{len(waiting)} containers")
        for container in waiting:
            complaint = container.complaint()
            if complaint:
                yield complaint
    finally:
        for each in [*waiting, *started]:
            each.stop()


def main():
    namespaces.enter(__file__)
    root, folder = (pathlib.Path(each).resolve() for each in sys.argv[1:])
    found = list(wrong(root, folder))
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
