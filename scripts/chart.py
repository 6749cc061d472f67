"""Makes a Helm chart of manifests/overlays: python3 scripts/chart.py FOLDER VERSION.

    FOLDER/Chart.yaml
    FOLDER/values.yaml              overlay, image, imagePullPolicy
    FOLDER/templates/OVERLAY.yaml   what the overlay renders to, when it is the one that is asked for

Nothing is said twice: what the chart has is what `kubectl apply -k` applies, but that image and imagePullPolicy are values, and that
definitions stay when the release is removed, with the records that they define. FOLDER is made, and must not be there.
"""

import pathlib
import sys

import yaml

import kustomize
from image_name import image_name

OVERLAYS = pathlib.Path(__file__).resolve().parents[1] / "manifests/overlays"
OURS = image_name()
IMAGE = "{{ .Values.image }}"
POLICY = "{{ .Values.imagePullPolicy }}"
VALUES = """# What kind of cluster it is: {names}
overlay: vanilla
# The image with our programs, and when it is pulled.
image: {image}
imagePullPolicy: IfNotPresent
"""


def templated(document):
    """The object with values in the place of what users choose."""
    if document["kind"] == "CustomResourceDefinition":
        document["metadata"].setdefault("annotations", {})["helm.sh/resource-policy"] = "keep"
    pod = document.get("spec", {}).get("template", {}).get("spec", {}) if document["kind"] in ("DaemonSet", "Deployment") else {}
    for container in pod.get("initContainers", []) + pod.get("containers", []):
        if container["image"] != OURS:
            continue
        container.update(image=IMAGE, imagePullPolicy=POLICY)
        container["args"] = [f"--image={IMAGE}" if each == f"--image={OURS}" else each for each in container.get("args", [])]
        if not container["args"]:
            del container["args"]
    return document


def text_of(document):
    """As YAML. Braces that are Helm's to read are refused, but for those of ours."""
    raw = yaml.safe_dump(document, sort_keys=False, width=4096, allow_unicode=True)
    if "{{" in raw:
        sys.exit(f"{document['kind']} {document['metadata']['name']}: holds '{{{{', which Helm would read")
    return yaml.safe_dump(templated(document), sort_keys=False, width=4096, allow_unicode=True)


def main(folder, version):
    folder = pathlib.Path(folder)
    (folder / "templates").mkdir(parents=True)
    names = sorted(path.name for path in OVERLAYS.iterdir() if path.is_dir())
    chart = {"apiVersion": "v2", "name": "holdfast", "type": "application", "version": version, "appVersion": version,
             "description": "Networking and storage for the edge of Kubernetes", "kubeVersion": ">=1.25.0-0"}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(chart, sort_keys=False))
    (folder / "values.yaml").write_text(VALUES.format(names=", ".join(names), image=OURS))
    for name in names:
        documents = "---\n".join(text_of(each) for each in kustomize.render(OVERLAYS / name))
        (folder / f"templates/{name}.yaml").write_text(f'{{{{- if eq .Values.overlay "{name}" }}}}\n{documents}{{{{- end }}}}\n')


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
