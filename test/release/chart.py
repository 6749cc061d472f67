"""Compares the Helm chart that scripts/chart.py makes with the overlays: python3 chart.py read|rendered|packed.

Of Helm's language the chart has a few sentences only, which are read here (read): `if eq .Values.overlay "NAME"` around a file, values as
they are and as JSON, a list's elements behind ours, a member where there is something for it, policies where the cluster knows them, and the refusal of an overlay that is not there. Or Helm itself reads it (rendered), also as the archive that it makes
of it (packed). Prints what is wrong, a line each, and fails when there is something.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "scripts"))
import kube_tools  # noqa: E402
import kustomize  # noqa: E402
from image_name import image_name  # noqa: E402

yaml = kustomize.yaml
OURS = image_name()
REFUSAL = re.compile(r'\{\{- if not \(has \.Values\.overlay \(list ([a-z" -]+)\)\) \}\}\n\{\{- fail \(printf "[^"{}]*" \.Values\.overlay\) \}\}\n'
                     r'\{\{- end \}\}\n')
CHOSEN = {"clusterCIDR": "10.42.0.0/16", "cloudRegion": "cn-hangzhou", "nasServer": "10.0.0.5:/a", "imagePullPolicy": "Never",
          "nodeCIDRMaskSize": 26, "flannelArgs": ["--iface=eth1", '--iface-regex="a"'], "flannelEnv": [{"name": "A", "value": "b: c"}],
          "imagePullSecrets": [{"name": "registry"}], "volumegroup": 'volumegroup:\n- {name: "a"}\n', "quotapath": "quotapath: [b]\n"}
WITH_TOPOLOGY = {"ack"}  # clusters that have a node-resource-topo of their own
RANGE = re.compile(r"^\{\{- range \.Values\.(\w+) \}\}\n( *- )\{\{ toJson \. \}\}\n\{\{- end \}\}\n", re.MULTILINE)
WITH = re.compile(r"^\{\{- with \.Values\.(\w+) \}\}\n( *\w+: )\{\{ toJson \. \}\}\n\{\{- end \}\}\n", re.MULTILINE)
POLICIES = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
SINCE_POLICIES = re.compile(r'^\{\{- if semverCompare ">=1\.30\.0-0" \.Capabilities\.KubeVersion\.Version \}\}\n(.*?)^\{\{- end \}\}\n',
                            re.MULTILINE | re.DOTALL)
BORDER = re.compile(r'\{\{- if eq \.Values\.overlay "([a-z-]+)" \}\}\n(.*)\{\{- end \}\}\n', re.DOTALL)


def read(folder, values):
    """The objects that the chart makes with these values, as it is read here."""
    names = [name.strip('"') for name in REFUSAL.fullmatch((folder / "templates/overlay.yaml").read_text())[1].split()]
    files = {file.stem: file.read_text() for file in (folder / "templates").iterdir() if file.name not in ("overlay.yaml", "NOTES.txt")}
    if sorted(files) != sorted(names):
        raise ValueError(f"refuses what is none of {names}, and has {sorted(files)}")
    for text in files.values():
        name, body = BORDER.fullmatch(text).groups()
        if name != values["overlay"]:
            continue
        body = SINCE_POLICIES.sub(r"\1", body)
        body = RANGE.sub(lambda match: "".join(f"{match[2]}{json.dumps(each)}\n" for each in values[match[1]]), body)
        body = WITH.sub(lambda match: f"{match[2]}{json.dumps(values[match[1]])}\n" if values[match[1]] else "", body)
        for key, value in values.items():
            body = body.replace("{{ .Values." + key + " }}", str(value)).replace("{{ .Values." + key + " | toJson }}", json.dumps(value))
        if "{{" in body:
            yield {"kind": "unread", "metadata": {"name": re.search(r"\{\{.*", body)[0]}, "apiVersion": "v1"}
        yield from yaml.safe_load_all(body)


def rendered(chart, values, *options):
    """Likewise, as Helm reads it."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        text = kube_tools.output_of("helm", "template", "holdfast", chart, "--values", file.name, *options)
    return [each for each in yaml.safe_load_all(text) if each]


def keyed(objects):
    return {kustomize.identity(each): each for each in objects}


def unkept(document):
    """Without what only the chart says; a definition that does not stay is shown by that."""
    if document["kind"] == "CustomResourceDefinition" and \
            document["metadata"].pop("annotations", None) != {"helm.sh/resource-policy": "keep"}:
        document["metadata"]["name"] += ", which goes with its release"
    return document


def wrong_with(helm, folder, name, image):
    values = yaml.safe_load((folder / "values.yaml").read_text()) | {"overlay": name, "image": image}
    made = keyed(unkept(each) for each in helm(folder, values))
    wanted = keyed(kustomize.render(TREE / "manifests/overlays" / name))
    ours = yaml.safe_dump(list(wanted.values())).count(f"image: {OURS}\n")
    for each in wanted.values():
        pod = each.get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("initContainers", []) + pod.get("containers", []):
            if container["image"] == OURS:
                container["image"] = image
                container["args"] = [f"--image={image}" if part == f"--image={OURS}" else part for part in container.get("args", [])]
                if not container["args"]:
                    del container["args"]
    yield from (f"{name}: {key[1]} {key[3]} is not in both" for key in sorted(set(made) ^ set(wanted), key=str))
    yield from (f"{name}: {key[1]} {key[3]} is not the same" for key in made if key in wanted and made[key] != wanted[key])
    if image != OURS and (ours == 0 or yaml.safe_dump(list(made.values())).count(f"image: {image}\n") != ours):
        yield f"{name}: not all containers of ours have the image"


def wrong_choices(helm, folder):
    """What is chosen by values is where programs look for it, in each overlay, and what the manifests have nowhere."""
    values = yaml.safe_load((folder / "values.yaml").read_text())
    if set(CHOSEN) | {"overlay", "image"} != set(values):
        yield f"values: {sorted(values)}"
    for path in sorted((TREE / "manifests/overlays").iterdir()):
        made = list(helm(folder, values | CHOSEN | {"overlay": path.name}))
        text = yaml.safe_dump(made)
        yield from (f"{path.name}: {key} is still {values[key]}" for key in ("clusterCIDR", "cloudRegion", "nasServer") if values[key] in text)
        topologies = [each["data"] for each in made if each["metadata"]["name"] == "node-resource-topo"]
        if len(topologies) != (path.name not in WITH_TOPOLOGY) or any(data != {key: CHOSEN[key] for key in data} for data in topologies):
            yield f"{path.name}: node-resource-topo has {topologies}"
        pods = [each["spec"]["template"]["spec"] for each in made if each["kind"] in ("DaemonSet", "Deployment")]
        daemon = next(each for pod in pods for each in pod["containers"] if each["name"] == "kube-flannel")
        if daemon["args"][:2] != CHOSEN["flannelArgs"] or daemon["env"][-1:] != CHOSEN["flannelEnv"] or len(daemon["args"]) < 4:
            yield f"{path.name}: flanneld is told {daemon['args']} {daemon['env']}"
        if any(each.get("imagePullSecrets") != CHOSEN["imagePullSecrets"] for each in
               pods + [each for each in made if each["kind"] == "ServiceAccount"]):
            yield f"{path.name}: not everybody has the registry's Secret"
        if "flannel-controller" in text and f"--node-cidr-mask-size={CHOSEN['nodeCIDRMaskSize']}" not in text:
            yield f"{path.name}: nodes get parts of another size"
        if "egw-controller" in text and f"--image-pull-policy={CHOSEN['imagePullPolicy']}" not in text:
            yield f"{path.name}: gateways are pulled otherwise than what makes them"
        network = [json.loads(each["data"]["net-conf.json"])["Network"] for each in made if each["metadata"]["name"] == "kube-flannel-cfg"
                   and each["kind"] == "ConfigMap"]
        if network not in ([], [CHOSEN["clusterCIDR"]]):
            yield f"{path.name}: the network is {network}"


def wrong_of_helm(chart):
    """What Helm itself has to say of the chart, and what it must refuse."""
    for path in sorted((TREE / "manifests/overlays").iterdir()):
        said = kube_tools.output_of("helm", "lint", "--strict", "--set", f"overlay={path.name}", chart)
        yield from (f"{path.name}: {line}" for line in said.splitlines() if line.startswith(("[WARNING]", "[ERROR]")))
    for values, options, words in (({"overlay": "none"}, (), "overlay: there is no 'none', but ack, eck,"),
                                   ({"volumegroup": [{"name": "a"}]}, (), "/volumegroup"), ({"flannelArg": []}, (), "flannelArg"),
                                   ({}, ("--kube-version", "1.21.9"), "requires kubeVersion: >=1.22.0-0")):
        try:
            rendered(chart, values, *options)
            yield f"{values} {options}: is not refused"
        except kube_tools.Failed as error:
            if words not in str(error):
                yield f"{values} {options}: {error}"
    yield from (f"{options}: is refused: {error}" for options in ("1.22.0", "v1.30.4-eks-123", "1.32.1-aliyun.1")
                for error in kube_tools.failures_of("helm", "template", "--kube-version", options, chart))
    for version in ("1.29.9-aliyun.1", "1.30.0", "v1.30.4-eks-123"):
        kinds = {each["kind"] for each in rendered(chart, {"overlay": "ack"}, "--kube-version", version)}
        if kinds & POLICIES != (set() if version.startswith("1.29") else POLICIES):
            yield f"{version}: the policies are {kinds & POLICIES}"


def wrong(helm, chart, folder):
    """`folder` is where the files of `chart` are."""
    found = [each for path in sorted((TREE / "manifests/overlays").iterdir()) for image in (OURS, "registry.example.com/h:1")
             for each in wrong_with(lambda _, values: helm(chart, values), folder, path.name, image)]
    found += wrong_choices(lambda _, values: helm(chart, values), folder)
    if yaml.safe_load((folder / "values.yaml").read_text())["image"] != OURS:
        found.append(f"the image is not {OURS} when none is asked for")
    if yaml.safe_load((folder / "Chart.yaml").read_text())["version"] != "1.2.3":
        found.append("the version is another")
    return found


def main(how):
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "chart"
        subprocess.run([sys.executable, "-B", TREE / "scripts/chart.py", folder, "1.2.3"], check=True, timeout=60)
        if how == "packed":
            kube_tools.output_of("helm", "package", "--destination", scratch, folder)
            found = wrong(rendered, folder.with_name("holdfast-1.2.3.tgz"), folder)
        elif how == "rendered":
            found = wrong(rendered, folder, folder) + list(wrong_of_helm(folder))
        else:
            found = wrong(read, folder, folder)
    print("\n".join(found))
    sys.exit(1 if found else 0)


main(sys.argv[1])
