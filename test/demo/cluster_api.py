"""The API server of a demo: test/kube_server, which speaks HTTPS as a real one does, and those who ask it."""

import json
import ssl
import subprocess
import urllib.error
import urllib.request

import yaml

from edge_site import COMMAND_SECONDS, ROOT

SERVER = ROOT / "build/guest/bin/kube_server"
TOKEN = "of-the-demo"
MANIFESTS = ROOT / "manifests/base"
DEFINITIONS = ("flannel/nodenetworkconfigurations", "egw-gateway/edgegateways", "csi-lvm/logicalvolumes",
               "csi-lvm/nodestorages", "csi-nas/nastasks", "csi-nas/nasvolumes")
# OpenYurt's, of which ours read labels and annotations.
NODE_POOLS = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "nodepools.apps.openyurt.io"},
    "spec": {
        "group": "apps.openyurt.io", "scope": "Cluster",
        "names": {"plural": "nodepools", "singular": "nodepool", "kind": "NodePool"},
        "versions": [{"name": "v1beta1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
            "type": "object",
            "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}}}],
    },
}


def make_certificate(folder, address):
    """A certificate that signs itself, for this address; returns it and its key."""
    certificate, key = folder / "server.crt", folder / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=kube-apiserver", "-addext", f"subjectAltName=IP:{address}", "-keyout", key, "-out",
                    certificate], check=True, capture_output=True, timeout=COMMAND_SECONDS)
    return certificate, key


def write_kubeconfig(path, url, certificate):
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump({
        "apiVersion": "v1", "kind": "Config", "current-context": "demo",
        "clusters": [{"name": "demo", "cluster": {"server": url, "certificate-authority": str(certificate)}}],
        "users": [{"name": "demo", "user": {"token": TOKEN}}],
        "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo"}}],
    }))


class Api:
    """What kubectl, kubelets and the cluster's own controllers ask of it."""

    def __init__(self, url, certificate, token=TOKEN):
        self._url = url
        self._token = token
        self._tls = ssl.create_default_context(cafile=str(certificate))

    def get(self, path):
        """The object, or None where there is none."""
        return self._send("GET", path, absent=404)

    def items(self, path):
        return self._send("GET", path)["items"]

    def create(self, collection, body):
        """Makes it, unless it is there."""
        self._send("POST", collection, body, absent=409)

    def merge(self, path, body):
        return self._send("PATCH", path, body, "application/merge-patch+json")

    def delete(self, path):
        """Asks for its end, which waits for its finalizers."""
        self._send("DELETE", path)

    def define_kinds(self):
        definitions = [next(yaml.safe_load_all((MANIFESTS / f"{name}.yaml").read_text())) for name in DEFINITIONS]
        for definition in [*definitions, NODE_POOLS]:
            self.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)

    def _send(self, method, path, body=None, kind="application/json", absent=None):
        """The answer; None for the status `absent`. RuntimeError for every other that is none of success."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data=data, method=method, headers={
            "Authorization": f"Bearer {self._token}", "Content-Type": kind, "User-Agent": "demo"})
        try:
            with urllib.request.urlopen(request, context=self._tls, timeout=COMMAND_SECONDS) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code != absent:
                raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error
            return None
