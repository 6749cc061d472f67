"""A cluster for kubectl and helm: test/kube_server on this namespace's loopback, and a shell in which both ask it, as an operator's does."""

import pathlib
import socket
import subprocess
import sys
import time

import kube_tools

sys.path.insert(0, str(kube_tools.TREE / "test/demo"))
import cluster_api  # noqa: E402

SECONDS = 120


def kind_of_others(group, plural, kind, versions=("v1",)):
    """A definition of somebody else's, of which nothing but its name matters."""
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced" if plural == "podmonitors" or plural == "prometheusrules" else "Cluster",
                     "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
                     "versions": [{"name": each, "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                         "type": "object", "x-kubernetes-preserve-unknown-fields": True}}} for each in versions]}}


OTHERS = [kind_of_others("snapshot.storage.k8s.io", "volumesnapshotclasses", "VolumeSnapshotClass"),
          kind_of_others("monitoring.coreos.com", "podmonitors", "PodMonitor"),
          kind_of_others("monitoring.coreos.com", "prometheusrules", "PrometheusRule")]


def free_address():
    """Another one each time: of a server that was killed with a client the port is not free for a minute."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % one.getsockname()[1]


class Cluster:
    """Running until close(). `others`: with the kinds of external-snapshotter and of Prometheus' operator."""

    def __init__(self, folder, others=True):
        self.folder = pathlib.Path(folder)
        certificate, key = cluster_api.make_certificate(self.folder, "127.0.0.1")
        self.kubeconfig = self.folder / "kubeconfig"
        address = free_address()
        url = f"https://{address}"
        cluster_api.write_kubeconfig(self.kubeconfig, url, certificate)
        self._server = subprocess.Popen([cluster_api.SERVER, address, certificate, key, cluster_api.TOKEN],
                                        stdout=subprocess.PIPE, text=True)
        if self._server.stdout.readline().strip() != url:
            raise RuntimeError("the API server does not start")
        self.api = cluster_api.Api(url, certificate)
        for each in OTHERS if others else []:
            self.api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", each)

    def close(self):
        self._server.kill()
        self._server.wait()
        self._server.stdout.close()

    def shell(self, text, cwd=kube_tools.TREE):
        """(exit status, what was said) of a line of bash, or several, in the project's folder."""
        done = subprocess.run(["bash", "-c", text], cwd=cwd, env=kube_tools.environment(self.folder, self.kubeconfig),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
        return done.returncode, done.stdout

    def run(self, text, cwd=kube_tools.TREE):
        """What was said; the lines must succeed."""
        status, said = self.shell(text, cwd)
        if status != 0:
            raise RuntimeError(f"{text}: exit status {status}: {said}")
        return said

    def start(self, text):
        """A line of bash that goes on beside this."""
        return subprocess.Popen(["bash", "-c", text], cwd=kube_tools.TREE, env=kube_tools.environment(self.folder, self.kubeconfig),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def collections(self):
        """(kind, apiVersion, path of the collection) of all that is served; namespaced kinds over all namespaces."""
        groups = [f"/apis/{version['groupVersion']}" for group in self.api.get("/apis")["groups"] for version in group["versions"]]
        for root in ["/api/v1", *groups]:
            document = self.api.get(root)
            yield from ((each["kind"], document["groupVersion"], f"{root}/{each['name']}") for each in document["resources"]
                        if "/" not in each["name"])

    def objects(self):
        """All objects by (group, kind, namespace, name)."""
        out = {}
        for kind, version, path in self.collections():
            for each in self.api.items(path):
                meta = each["metadata"]
                # elements of a list do not repeat what they are
                out[version.rpartition("/")[0], kind, meta.get("namespace"), meta["name"]] = {"apiVersion": version, "kind": kind} | each
        return out


def wait_for(holds, complaint, seconds=SECONDS):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"{complaint} after {seconds} s")
        time.sleep(0.05)
