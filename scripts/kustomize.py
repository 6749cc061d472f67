"""Renders the folders of manifests/ as `kubectl kustomize` does, as far as they use it: resources, components, labels of objects, images, and
patches with a target, strategic merge patches ($patch: delete among them) or lists of JSON patches (add, remove, replace, test). Anything else is
refused, and so are absolute paths and files of other folders, as by kustomize.

    python3 kustomize.py FOLDER         prints the objects as YAML

Sources: https://kubectl.docs.kubernetes.io/references/kustomize/, RFC 6902, and patchMergeKey of Kubernetes' types.
"""

import pathlib
import sys

import yaml

NAMES = ("kustomization.yaml", "Kustomization")
KNOWN = {"apiVersion", "kind", "resources", "components", "labels", "images", "patches"}
MERGE_KEYS = {"containers": "name", "initContainers": "name", "volumes": "name", "env": "name",
              "volumeMounts": "mountPath", "ports": "containerPort"}  # other lists are replaced whole


class Refused(Exception):
    """What is wrong with a folder, for people."""


def identity(document):
    meta = document["metadata"]
    return document["apiVersion"].rpartition("/")[0], document["kind"], meta.get("namespace"), meta["name"]


def file_of(folder):
    for name in NAMES:
        if (folder / name).exists():
            return folder / name
    raise Refused(f"{folder}: there is no {NAMES[0]}")


def wanted_of(folder, kind):
    """What a folder's file says."""
    wanted = yaml.safe_load(file_of(folder).read_text())
    for key in sorted(set(wanted) - KNOWN):
        raise Refused(f"{folder}: '{key}' is not understood")
    if wanted.get("kind", "Kustomization") != kind:
        raise Refused(f"{folder}: is no {kind}")
    return wanted


def render(folder):
    """The objects of a folder, in the order of its resources."""
    folder = pathlib.Path(folder)
    wanted = wanted_of(folder, "Kustomization")
    objects = []
    for resource in wanted["resources"]:
        path = folder / resource
        if pathlib.PurePath(resource).is_absolute():
            raise Refused(f"{folder}: new root '{resource}' cannot be absolute")
        if path.is_dir():
            objects += render(path)
        elif ".." in pathlib.PurePath(resource).parts:
            raise Refused(f"{folder}: {resource} is not in this folder")
        else:
            objects += [each for each in yaml.safe_load_all(path.read_text()) if each]
    seen = set()
    for each in objects:
        if identity(each) in seen:
            raise Refused(f"{folder}: {each['kind']} {each['metadata']['name']} is there twice")
        seen.add(identity(each))
    for component in wanted.get("components", []):
        for patch in wanted_of(folder / component, "Component")["patches"]:
            objects = patched(objects, patch, component)
    for patch in wanted.get("patches", []):
        objects = patched(objects, patch, folder)
    for labels in wanted.get("labels", []):
        if set(labels) != {"pairs"}:
            raise Refused(f"{folder}: labels of selectors and templates are not understood")
        for each in objects:
            each["metadata"]["labels"] = each["metadata"].get("labels", {}) | labels["pairs"]
    for each in objects:
        pod = each.get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("initContainers", []) + pod.get("containers", []):
            container["image"] = renamed(container["image"], wanted.get("images", []))
    return objects


def renamed(image, changes):
    """An image by the names that it is to have."""
    name, _, tag = image.partition(":")
    for change in changes:
        if change["name"] == name:
            return f"{change.get('newName', name)}:{change.get('newTag', tag)}"
    return image


def patched(objects, patch, folder):
    target = patch["target"]
    for key in sorted(set(target) - {"kind", "name"}):
        raise Refused(f"{folder}: a target's '{key}' is not understood")
    change = yaml.safe_load(patch["patch"])
    hit = False
    out = []
    for each in objects:
        if each["kind"] != target["kind"] or target.get("name", each["metadata"]["name"]) != each["metadata"]["name"]:
            out.append(each)
            continue
        hit = True
        if isinstance(change, list):
            for step in change:
                each = with_step(each, step)
            out.append(each)
        elif change.get("$patch") != "delete":
            kept = each["metadata"]["name"]
            each = merged(each, change)
            each["metadata"]["name"] = kept
            out.append(each)
    if not hit:
        raise Refused(f"{folder}: nothing is {target}")
    return out


def merged(value, change, key=""):
    """A strategic merge patch."""
    if isinstance(value, dict) and isinstance(change, dict):
        out = dict(value)
        for name, part in change.items():
            if part is None:
                out.pop(name, None)
            else:
                out[name] = merged(out[name], part, name) if name in out else part
        return out
    if isinstance(value, list) and isinstance(change, list) and key in MERGE_KEYS:
        by = MERGE_KEYS[key]
        there = {each[by]: each for each in value}
        first = [merged(there.pop(each[by]), each) if each[by] in there else each for each in change]
        return first + list(there.values())
    return change


def with_step(document, step):
    """One operation of a JSON patch."""
    path = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
    return changed_at(document, path, step)


def changed_at(value, path, step):
    key = path[0]
    if isinstance(value, list) and key != "-":
        key = int(key)
    if len(path) > 1:
        out = value.copy()
        out[key] = changed_at(value[key], path[1:], step)
        return out
    out = value.copy()
    verb = step["op"]
    if verb == "test":
        if value[key] != step["value"]:
            raise Refused(f"test of {step['path']}: it is {value[key]!r}, and not {step['value']!r}")
    elif verb == "remove":
        del out[key]
    elif verb == "replace":
        value[key]  # must be there
        out[key] = step["value"]
    elif verb == "add" and isinstance(out, list):
        out.insert(len(out) if key == "-" else key, step["value"])
    elif verb == "add":
        out[key] = step["value"]
    else:
        raise Refused(f"'{verb}' is not understood")
    return out


if __name__ == "__main__":
    try:
        yaml.safe_dump_all(render(sys.argv[1]), sys.stdout, sort_keys=False, width=4096)
    except (Refused, KeyError, IndexError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
