"""The overlays in deploy/kubernetes: kustomize builds them, and KEDA accepts its own kind."""

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from checks.files import at, lookup, read
from checks.kubernetes import FOLDER, RESOURCES, SCALED_OBJECT, WORKLOADS, Resource, named

KUSTOMIZATIONS = sorted(FOLDER.glob("*/kustomization.yaml"))
SCRAPED = "deploy/prometheus/kubernetes.yml"
AUTOSCALER = "HorizontalPodAutoscaler"
# Seconds.
TIMEOUT = 60
# The first minor version of kubectl 1 with kustomize 5.
MINOR = 27

TEXT = {"type": "string", "minLength": 1}
NUMBER = {"type": "integer", "minimum": 0}


def trigger(metric_type: str | None, *metadata: str) -> dict[str, Any]:
    """Return the schema of a trigger with this metric type and these members."""
    members: dict[str, Any] = {"type": TEXT, "metadata": {"type": "object"}}
    members["metadata"] |= {
        "required": metadata,
        "properties": dict.fromkeys(metadata, TEXT),
        "additionalProperties": False,
    }
    if metric_type is not None:
        members["metricType"] = {"const": metric_type}
    return {"required": [*members], "properties": members, "additionalProperties": False}


TRIGGERS = {
    "prometheus": trigger(None, "serverAddress", "query", "threshold"),
    "cpu": trigger("Utilization", "value"),
    "memory": trigger("AverageValue", "value"),
}
# The part of KEDA's schema that the manifests use; the schemas of Kubernetes do not contain it.
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["scaleTargetRef", "triggers"],
    "properties": {
        "scaleTargetRef": {"required": ["name"], "properties": {"name": TEXT}},
        **dict.fromkeys(
            ("minReplicaCount", "maxReplicaCount", "pollingInterval", "cooldownPeriod"), NUMBER
        ),
        "advanced": {"required": ["horizontalPodAutoscalerConfig"]},
        "triggers": {"type": "array", "minItems": 1},
    },
}


def kustomizations() -> Iterator[str]:
    """Each overlay applies each of its files, and changes resources that exist."""
    for path in KUSTOMIZATIONS:
        kustomization = yaml.safe_load(path.read_text())
        files = {each.path.name for each in RESOURCES if each.path.parent == path.parent}
        resources = set(kustomization["resources"])
        if {each for each in resources if not each.startswith("../")} != files:
            yield f"{at(path, 'resources')}: list {sorted(files)}"
        generated = kustomization.get("configMapGenerator", [])
        scripts = [name for each in generated for name in each.get("files", [])]
        for name in [*(each for each in resources if each.startswith("../")), *scripts]:
            if not (path.parent / name).exists():
                yield f"{at(path, name)}: there is no {name}"
        for patch in kustomization.get("patches", []):
            target = yaml.safe_load(patch["patch"])
            kind, name = target["kind"], target["metadata"]["name"]
            if not any((each.kind, each.name) == (kind, name) for each in RESOURCES):
                yield f"{at(path, 'patches')}: there is no {kind} {name}"


def scaling() -> Iterator[str]:
    """KEDA accepts its own kind, which scales an existing workload by existing metrics."""
    for scaled in (each for each in RESOURCES if each.kind == SCALED_OBJECT):
        if scaled.document["apiVersion"] != "keda.sh/v1alpha1":
            yield f"{scaled}: expected apiVersion keda.sh/v1alpha1"
        for error in _schema_errors(scaled.document["spec"]):
            yield f"{scaled}: not valid in KEDA: {error}"
        behavior = scaled.get("spec.advanced.horizontalPodAutoscalerConfig.behavior")
        if behavior and behavior != named(AUTOSCALER, scaled.name).get("spec.behavior"):
            yield f"{scaled}: its behavior differs from that of {AUTOSCALER} {scaled.name}"
        target = scaled.get("spec.scaleTargetRef.name")
        if ("Deployment", target) not in {(each.kind, each.name) for each in WORKLOADS}:
            yield f"{scaled}: there is no Deployment {target}"
        yield from _unknown_names(scaled)


def _schema_errors(spec: dict[str, Any]) -> Iterator[str]:
    parts = [(SCHEMA, spec)]
    parts += [(TRIGGERS.get(each["type"], {"not": {}}), each) for each in spec["triggers"]]
    for schema, part in parts:
        for error in Draft202012Validator(schema).iter_errors(part):
            yield error.message


def _unknown_names(scaled: Resource) -> Iterator[str]:
    """Yield the metrics and labels of queries that do not exist."""
    queries = str(scaled.get("spec.triggers"))
    for metric in re.findall(r"parley_\w+", queries):
        if f'"{metric}"' not in read("chat/api/prometheus.py"):
            yield f"{scaled}: /metrics has no {metric}"
    for label in set(re.findall(r'(\w+)="', queries)):
        if f"target_label: {label}\n" not in read(SCRAPED):
            yield f"{scaled}: {SCRAPED} sets no label {label}"


def built_overlays() -> Iterator[str]:
    """Kustomize builds each overlay, if a kubectl with kustomize 5 is installed.

    In the result, each reference to a generated ConfigMap has its suffix, and no workload is scaled
    twice.
    """
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        return
    version = json.loads(_run(kubectl, "version", "--client", "--output=json").stdout)
    if int(version["clientVersion"]["minor"].rstrip("+")) < MINOR:
        return
    for path in KUSTOMIZATIONS:
        built = _run(kubectl, "kustomize", str(path.parent))
        if built.returncode or built.stderr:
            yield f"{at(path)}: kubectl kustomize: {built.stderr.strip()}"
        else:
            yield from _problems(path, list(yaml.safe_load_all(built.stdout)))


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, check=False)  # noqa: S603


def _problems(path: Path, documents: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with the resources that an overlay consists of."""
    names = {each["metadata"]["name"] for each in documents if each["kind"] == "ConfigMap"}
    for name in set(_config_maps(documents)) - names:
        yield f"{at(path)}: there is no ConfigMap {name}"
    targets = Counter(
        lookup(each, "spec.scaleTargetRef.name")
        for each in documents
        if each["kind"] in {AUTOSCALER, SCALED_OBJECT}
    )
    for target, number in targets.items():
        if number > 1:
            yield f"{at(path)}: {target} is scaled {number} times"


def _config_maps(value: Any) -> Iterator[str]:
    """Yield the names of the ConfigMaps that a part of a document refers to."""
    if isinstance(value, list):
        for part in value:
            yield from _config_maps(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key in {"configMapRef", "configMap"}:
                yield part["name"]
            yield from _config_maps(part)


CHECKS = (kustomizations, scaling, built_overlays)
