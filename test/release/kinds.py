"""The fields that objects of our manifests may have, and what a CustomResourceDefinition must look like.

Of each kind the fields that we use, as the API reference has them: one that is not here is a slip of the pen, or is to be looked up and
added. A dictionary is an object, a list of one thing is a list of such, `...` is anything, "text*" is a map of texts.
Source: https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.32/
"""

import re

MAP = "text*"
META = {"name": ..., "namespace": ..., "labels": MAP, "annotations": MAP}
SELECTOR = {"matchLabels": MAP}
EXPRESSIONS = [{"key": ..., "operator": ..., "values": [...]}]
POD_TERM = {"topologyKey": ..., "labelSelector": SELECTOR}
PROBE = {"httpGet": {"host": ..., "path": ..., "port": ...}, "initialDelaySeconds": ...}
CONTAINER = {
    "name": ..., "image": ..., "imagePullPolicy": ..., "command": [...], "args": [...],
    "env": [{"name": ..., "valueFrom": {"fieldRef": {"fieldPath": ...}}}],
    "ports": [{"name": ..., "containerPort": ..., "protocol": ...}],
    "livenessProbe": PROBE, "readinessProbe": PROBE,
    "resources": {"requests": {"cpu": ..., "memory": ...}},
    "securityContext": {"privileged": ..., "allowPrivilegeEscalation": ..., "readOnlyRootFilesystem": ...,
                        "capabilities": {"add": [...], "drop": [...]}},
    "volumeMounts": [{"name": ..., "mountPath": ..., "mountPropagation": ..., "readOnly": ...}],
}
VOLUME = {"name": ..., "hostPath": {"path": ..., "type": ...}, "emptyDir": {"medium": ...}, "configMap": {"name": ...},
          "secret": {"secretName": ..., "defaultMode": ..., "items": [{"key": ..., "path": ...}]}}
POD = {
    "metadata": {"labels": MAP},
    "spec": {
        "serviceAccountName": ..., "automountServiceAccountToken": ..., "priorityClassName": ..., "hostNetwork": ..., "dnsPolicy": ...,
        "terminationGracePeriodSeconds": ..., "nodeSelector": MAP,
        "tolerations": [{"key": ..., "operator": ..., "effect": ...}],
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": EXPRESSIONS}]},
                             "preferredDuringSchedulingIgnoredDuringExecution": [
                                 {"weight": ..., "preference": {"matchExpressions": EXPRESSIONS}}]},
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [POD_TERM],
                                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": ..., "podAffinityTerm": POD_TERM}]}},
        "initContainers": [CONTAINER], "containers": [CONTAINER], "volumes": [VOLUME]},
}
RULES = [{"apiGroups": [...], "resources": [...], "resourceNames": [...], "verbs": [...]}]
BINDING = {"roleRef": {"apiGroup": ..., "kind": ..., "name": ...}, "subjects": [{"kind": ..., "name": ..., "namespace": ...}]}
EXPRESSION = {"name": ..., "expression": ...}
KINDS = {
    ("v1", "Namespace"): {},
    ("v1", "ServiceAccount"): {},
    ("v1", "ConfigMap"): {"data": MAP},
    ("apps/v1", "DaemonSet"): {"spec": {"selector": SELECTOR, "template": POD,
                                        "minReadySeconds": ...,
                                        "updateStrategy": {"type": ..., "rollingUpdate": {"maxUnavailable": ...}}}},
    ("apps/v1", "Deployment"): {"spec": {"selector": SELECTOR, "template": POD, "replicas": ..., "minReadySeconds": ..., "revisionHistoryLimit": ..., "strategy": {"type": ..., "rollingUpdate": {"maxUnavailable": ..., "maxSurge": ...}}}},
    ("policy/v1", "PodDisruptionBudget"): {"spec": {"maxUnavailable": ..., "minAvailable": ..., "selector": SELECTOR}},
    ("rbac.authorization.k8s.io/v1", "Role"): {"rules": RULES},
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): {"rules": RULES},
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): BINDING,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): BINDING,
    ("storage.k8s.io/v1", "CSIDriver"): {"spec": {"attachRequired": ..., "podInfoOnMount": ..., "storageCapacity": ...,
                                                  "fsGroupPolicy": ..., "volumeLifecycleModes": [...]}},
    ("storage.k8s.io/v1", "StorageClass"): {"provisioner": ..., "parameters": MAP, "mountOptions": [...], "reclaimPolicy": ...,
                                            "allowVolumeExpansion": ..., "volumeBindingMode": ...},
    ("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass"): {"driver": ..., "deletionPolicy": ..., "parameters": MAP},
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): {
        "spec": {"failurePolicy": ..., "matchConditions": [EXPRESSION], "variables": [EXPRESSION],
                 "matchConstraints": {"resourceRules": [{"apiGroups": [...], "apiVersions": [...], "resources": [...], "operations": [...]}]},
                 "validations": [{"expression": ..., "message": ..., "reason": ...}]}},
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"): {"spec": {"policyName": ..., "validationActions": [...]}},
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): {
        "spec": {"group": ..., "scope": ..., "names": {"plural": ..., "singular": ..., "kind": ..., "listKind": ..., "shortNames": [...],
                                                       "categories": [...]},
                 "versions": [{"name": ..., "served": ..., "storage": ..., "subresources": ..., "schema": ...,
                               "additionalPrinterColumns": [{"name": ..., "description": ..., "type": ..., "format": ..., "priority": ...,
                                                             "jsonPath": ...}],
                               "selectableFields": [{"jsonPath": ...}]}]}},
}
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def wrong_fields(document):
    """What is wrong with an object of a manifest."""
    kind = document.get("apiVersion"), document.get("kind")
    if kind not in KINDS:
        yield f"{kind[0]} {kind[1]} is not known"
        return
    if not NAME.fullmatch(document["metadata"]["name"]):
        yield "its name is none"
    yield from wrong_at(document, {"apiVersion": ..., "kind": ..., "metadata": META, **KINDS[kind]}, "")


def wrong_at(value, known, path):
    if known is ...:
        return
    if known == MAP:
        if not isinstance(value, dict):
            yield f"{path} is no map"
            return
        yield from (f"{path}.{name} is no text: {text!r}" for name, text in value.items() if not isinstance(text, str))
    elif isinstance(known, list):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for i, each in enumerate(value):
            yield from wrong_at(each, known[0], f"{path}[{i}]")
    elif not isinstance(value, dict):
        yield f"{path} is no object"
    else:
        yield from (f"{path}.{name} is not known" for name in sorted(set(value) - set(known)))
        for name in set(value) & set(known):
            yield from wrong_at(value[name], known[name], f"{path}.{name}")


def wrong_definition(document):
    """What makes a CustomResourceDefinition other than ours are: structural and bounded, so that the
    API server takes them, their rules are cheap, and no object grows beyond what etcd keeps."""
    spec = document["spec"]
    if document["metadata"]["name"] != f"{spec['names']['plural']}.{spec['group']}":
        yield "its name is not its plural and group"
    for version in spec["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        yield from wrong_schema(schema, "")
        columns = version.get("additionalPrinterColumns", [])
        for column in columns:
            yield from wrong_path(schema, column["jsonPath"], f"column {column['name']}")
        for field in version.get("selectableFields", []):
            yield from wrong_path(schema, field["jsonPath"], "a selectable field")
        if "status" in schema["properties"] and version.get("subresources") != {"status": {}}:
            yield "its status is not written apart"


def wrong_schema(schema, path):
    where = path or "the object"
    if schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource"):
        yield f"{where}: anything may be there"
    if schema.get("x-kubernetes-int-or-string"):
        return
    kind = schema.get("type")
    if kind not in ("object", "array", "string", "integer", "number", "boolean"):
        yield f"{where}: has no type, so that the schema is not structural"
    if kind == "string" and not {"maxLength", "enum", "format", "pattern"} & set(schema):
        yield f"{where}: a text of any length"
    if kind == "array":
        if "maxItems" not in schema:
            yield f"{where}: a list of any length"
        yield from wrong_schema(schema["items"], f"{path}[]")
    if kind == "object":
        if "additionalProperties" in schema:
            if "properties" in schema or "maxProperties" not in schema:
                yield f"{where}: a map of any size, or with members of its own"
            yield from wrong_schema(schema["additionalProperties"], f"{path}.*")
        for name in schema.get("required", []):
            if name not in schema.get("properties", {}):
                yield f"{where}: requires {name}, which is not there"
        for name, part in schema.get("properties", {}).items():
            yield from wrong_schema(part, f"{path}.{name}")
    for rule in schema.get("x-kubernetes-validations", []):
        if not rule.get("message"):
            yield f"{where}: a rule says nothing to those who break it"


def wrong_path(schema, path, what):
    """Whether a simple JSON path leads to a member of the schema. Of a list any member, or one by a filter, may be meant."""
    at = schema
    if path.startswith(".metadata."):
        return
    for name in re.sub(r"\[[^]]*\]", "", path).split(".")[1:]:
        while at.get("type") == "array":
            at = at["items"]
        if "additionalProperties" in at:
            at = at["additionalProperties"]
            continue
        if name not in at.get("properties", {}):
            yield f"{what}: {path} leads nowhere"
            return
        at = at["properties"][name]
