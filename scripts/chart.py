"""Makes a Helm chart of manifests/overlays: python3 scripts/chart.py FOLDER VERSION.

    FOLDER/Chart.yaml
    FOLDER/values.yaml              what users choose, as the manifests have it
    FOLDER/values.schema.json       of which types that is
    FOLDER/templates/OVERLAY.yaml   what the overlay renders to, when it is the one that is asked for
    FOLDER/templates/overlay.yaml   refuses another one
    FOLDER/templates/NOTES.txt      how one sees that it runs

Nothing is said twice: what the chart has is what `kubectl apply -k` applies, but for the values, and that definitions stay when the
release is removed, with the records that they define. FOLDER is made, and must not be there.
"""

import json
import pathlib
import re
import sys

import yaml

import kustomize
from image_name import image_name

OVERLAYS = pathlib.Path(__file__).resolve().parents[1] / "manifests/overlays"
OURS = image_name()
VALUES = """# What kind of cluster it is: {names}
overlay: vanilla
# The image with our programs, and when it is pulled, also by gateways.
image: {image}
imagePullPolicy: IfNotPresent
# Of a new cluster (vanilla, offline-single-node): where nodes' pod CIDRs are from, by flannel-controller and in kube-flannel-cfg.
clusterCIDR: {clusterCIDR}
# How large a node's part of it is (flannel-controller): 26 is 64 addresses.
nodeCIDRMaskSize: {nodeCIDRMaskSize}
# Flags and variables of flanneld beside ours: what the cluster's own flannel was told, docs/upgrade.md.
flannelArgs: []
flannelEnv: []
# Of a registry that asks who pulls: [{{name: SECRET}}], Secrets of each namespace.
imagePullSecrets: []
# Where cloud disks are made (ack).
cloudRegion: {cloudRegion}
# The NFS server of the class alicloud-nas-subpath, or several.
nasServer: {nasServer}
# Which disks of which nodes become volume groups, and folders with quotas: docs/node-resource-manager.md. The ConfigMap
# node-resource-topo has both as text; a cluster of ack has its own.
volumegroup: |-
  {volumegroup}
quotapath: |-
  {quotapath}
"""
NOTES = """Nodes get their network one after the other, and their volumes' drivers:

    kubectl -n kube-flannel rollout status daemonset kube-flannel-ds
    kubectl get nodenetworkconfigurations
    kubectl -n kube-system rollout status daemonset csi-node

How one goes on from here: docs/install.md, "Step by step".

Definitions, and the records that they define, stay when this release is removed.
"""
REFUSAL = """{{{{- if not (has .Values.overlay (list {names})) }}}}
{{{{- fail (printf "overlay: there is no '%s', but {said}" .Values.overlay) }}}}
{{{{- end }}}}
"""
# Kubernetes before 1.30 has no ValidatingAdmissionPolicy, as manifests/components/no-admission-policies.
SINCE_POLICIES = '{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}\n'


def schema():
    """Of values.yaml, by the JSON schema that Helm reads."""
    text, texts = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    objects = {"type": "array", "items": {"type": "object", "required": ["name"]}}
    return {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": False, "properties": {
        "overlay": text, "image": text, "imagePullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]}, "clusterCIDR": text,
        "nodeCIDRMaskSize": {"type": "integer", "minimum": 1, "maximum": 30}, "flannelArgs": texts, "flannelEnv": objects,
        "imagePullSecrets": objects, "cloudRegion": text, "nasServer": text, "volumegroup": text, "quotapath": text, "global": {"type": "object"}}}


def value(key):
    return "{{ .Values." + key + " }}"


def is_of(document, kind, name):
    return document["kind"] == kind and document["metadata"]["name"] == name


class Values:
    """What users choose: taken out of the objects, with what they have there."""

    def __init__(self):
        self.defaults = {}

    def take(self, key, default):
        """What is put in the place of `default`, which is the same in all overlays."""
        if self.defaults.setdefault(key, default) != default:
            sys.exit(f"{key}: {default} in one overlay, {self.defaults[key]} in another")
        return value(key)

    def templated(self, document):
        """The object with values in the place of what users choose."""
        if document["kind"] == "CustomResourceDefinition":
            document["metadata"].setdefault("annotations", {})["helm.sh/resource-policy"] = "keep"
        pod = document.get("spec", {}).get("template", {}).get("spec", {}) if document["kind"] in ("DaemonSet", "Deployment") else {}
        for container in pod.get("initContainers", []) + pod.get("containers", []):
            if container["image"] == OURS:
                if container["name"] == "kube-flannel":
                    container["args"].insert(0, "@range flannelArgs")
                    container["env"].append("@range flannelEnv")
                container.update(image=value("image"), imagePullPolicy=value("imagePullPolicy"))
                container["args"] = [self._argument(each) for each in container.get("args", [])]
                if not container["args"]:
                    del container["args"]
        if document["kind"] == "ServiceAccount":
            document["imagePullSecrets"] = "@with imagePullSecrets"
        elif pod:
            pod["imagePullSecrets"] = "@with imagePullSecrets"
        if is_of(document, "ConfigMap", "kube-flannel-cfg"):
            network = json.loads(document["data"]["net-conf.json"])["Network"]
            document["data"]["net-conf.json"] = document["data"]["net-conf.json"].replace(network, self.take("clusterCIDR", network))
        if is_of(document, "ConfigMap", "node-resource-topo"):
            document["data"] = {key: self.take(key, text).replace(" }}", " | toJson }}") for key, text in document["data"].items()}
        if is_of(document, "StorageClass", "alicloud-nas-subpath"):
            document["parameters"]["server"] = self.take("nasServer", document["parameters"]["server"])
        return document

    def _argument(self, argument):
        flag, _, said = argument.partition("=")
        keys = {"--cluster-cidr": "clusterCIDR", "--cloud-region": "cloudRegion", "--node-cidr-mask-size": "nodeCIDRMaskSize"}
        if flag in keys:
            return f"{flag}={self.take(keys[flag], said)}"
        if flag == "--image-pull-policy":
            return f"{flag}={value('imagePullPolicy')}"
        return f"--image={value('image')}" if argument == f"--image={OURS}" else argument


def text_of(document, values):
    """As YAML. Braces that are Helm's to read are refused, but for those of ours."""
    raw = yaml.safe_dump(document, sort_keys=False, width=4096, allow_unicode=True)
    if "{{" in raw:
        sys.exit(f"{document['kind']} {document['metadata']['name']}: holds '{{{{', which Helm would read")
    text = yaml.safe_dump(values.templated(document), sort_keys=False, width=4096, allow_unicode=True)
    text = re.sub(r"^( *)- '@range (\w+)'\n", r"{{- range .Values.\2 }}\n\1- {{ toJson . }}\n{{- end }}\n", text, flags=re.MULTILINE)
    text = re.sub(r"^( *\w+:) '@with (\w+)'\n", r"{{- with .Values.\2 }}\n\1 {{ toJson . }}\n{{- end }}\n", text, flags=re.MULTILINE)
    # JSON is quoted by itself
    text = re.sub(r"'(\{\{ \S+ \| toJson \}\})'", r"\1", text)
    return f"{SINCE_POLICIES}{text}{{{{- end }}}}\n" if document["kind"].startswith("ValidatingAdmissionPolicy") else text


def main(folder, version):
    folder = pathlib.Path(folder)
    (folder / "templates").mkdir(parents=True)
    names = sorted(path.name for path in OVERLAYS.iterdir() if path.is_dir())
    chart = {"apiVersion": "v2", "name": "holdfast", "type": "application", "version": version, "appVersion": version,
             "description": "Networking and storage for the edge of Kubernetes", "kubeVersion": ">=1.22.0-0"}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart, sort_keys=False))
    values = Values()
    for name in names:
        documents = "---\n".join(text_of(each, values) for each in kustomize.render(OVERLAYS / name))
        (folder / f"templates/{name}.yaml").write_text(f'{{{{- if eq .Values.overlay "{name}" }}}}\n{documents}{{{{- end }}}}\n')
    texts = {key: text.replace("\n", "\n  ") for key, text in values.defaults.items()}
    (folder / "values.yaml").write_text(VALUES.format(names=", ".join(names), image=OURS, **texts))
    (folder / "values.schema.json").write_text(json.dumps(schema(), indent=2) + "\n")
    (folder / "templates/NOTES.txt").write_text(NOTES)
    (folder / "templates/overlay.yaml").write_text(
        REFUSAL.format(names=" ".join(f'"{name}"' for name in names), said=", ".join(names)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
