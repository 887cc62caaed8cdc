"""The manifests are what Kubernetes takes, and run what everything else runs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from project.runner.process import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
FILES = [path for path in sorted(FOLDER.rglob("*.yaml")) if path.name != "kustomization.yaml"]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
# The oldest and the newest Kubernetes that the manifests are for.
VERSIONS = ("1.29", "1.37")
WORDS = {"type": "string", "minLength": 1}
NUMBER = {"type": "integer", "minimum": 0}
# What the manifests use of KEDA's own kind, which no schema of Kubernetes knows.
SCALED_OBJECT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["scaleTargetRef", "triggers"],
    "properties": {
        "scaleTargetRef": {"required": ["name"], "properties": {"name": WORDS}},
        "minReplicaCount": NUMBER,
        "maxReplicaCount": NUMBER,
        "pollingInterval": NUMBER,
        "cooldownPeriod": NUMBER,
        "triggers": {
            "minItems": 1,
            "items": {
                "required": ["type", "metadata"],
                "properties": {
                    "type": {"const": "prometheus"},
                    "metadata": {
                        "required": ["serverAddress", "query", "threshold"],
                        "additionalProperties": WORDS,
                    },
                },
            },
        },
    },
}


def manifests(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


RESOURCES = {
    f"{path.stem}-{index}-{found['kind']}": found
    for path in FILES
    for index, found in enumerate(manifests(path))
}
KNOWN = {name: found for name, found in RESOURCES.items() if found["kind"] != "ScaledObject"}


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (
        each
        for each in RESOURCES.values()
        if (each["kind"], each["metadata"]["name"]) == (kind, name)
    )
    return found


def pods() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield what each workload says, and what it says of its pods."""
    for found in RESOURCES.values():
        if "template" in found["spec"] if "spec" in found else False:
            yield found["spec"], found["spec"]["template"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", KNOWN)
def test_kubernetes_takes_the_manifest(name: str, version: str) -> None:
    kubernetes_validate.validate(KNOWN[name], version, strict=True)


def test_a_wrong_manifest_would_be_refused() -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[1], strict=True)


def test_keda_takes_its_own_kind() -> None:
    scaled = named("ScaledObject", "worker")
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    Draft202012Validator(SCALED_OBJECT).validate(scaled["spec"])
    assert named("Deployment", scaled["spec"]["scaleTargetRef"]["name"])


def test_keda_asks_for_a_figure_that_there_is() -> None:
    query = named("ScaledObject", "worker")["spec"]["triggers"][0]["metadata"]["query"]
    (figure,) = re.findall(r"parley_\w+", query)
    assert f'"{figure}"' in (ROOT / "chat" / "api" / "prometheus.py").read_text()


@pytest.mark.parametrize("folder", [FOLDER / "base", FOLDER / "keda"])
def test_every_manifest_is_applied(folder: Path) -> None:
    (kustomization,) = manifests(folder / "kustomization.yaml")
    beside = {path.name for path in FILES if path.parent == folder}
    assert set(kustomization["resources"]) - {"../base"} == beside


def test_settings_are_those_that_there_are() -> None:
    settings = dict(
        line.split("=", 1)
        for line in (FOLDER / "base" / "parley.env").read_text().splitlines()
        if not line.startswith("#")
    )
    known = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(settings) - set(known) == set()
    grace = named("Deployment", "worker")["spec"]["template"]["spec"]
    assert grace["terminationGracePeriodSeconds"] >= float(settings["CHAT_DRAIN_TIMEOUT"]) + 5


def test_workers_are_started_as_in_containers() -> None:
    (container,) = named("Deployment", "worker")["spec"]["template"]["spec"]["containers"]
    assert container["args"] == COMPOSE["services"]["worker"]["command"]


def test_redis_keeps_and_evicts_as_in_containers() -> None:
    (container,) = named("StatefulSet", "redis")["spec"]["template"]["spec"]["containers"]
    for words in ("--appendonly yes", "--appendfsync everysec", "--maxmemory-policy noeviction"):
        assert words in container["args"][-1]


def test_pods_may_do_nothing_that_they_need_not() -> None:
    seen = 0
    for _, pod in pods():
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert pod["spec"]["automountServiceAccountToken"] is False
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            allowed = container["securityContext"]
            assert (allowed["readOnlyRootFilesystem"], allowed["capabilities"]["drop"]) == (
                True,
                ["ALL"],
            )
            assert container["resources"]["limits"]["memory"]
            seen += 1
    assert seen == 5


def test_selectors_select() -> None:
    labels = []
    for workload, pod in pods():
        assert workload["selector"]["matchLabels"] == pod["metadata"]["labels"]
        labels.append(pod["metadata"]["labels"])
    for found in RESOURCES.values():
        if found["kind"] in {"Service", "PodDisruptionBudget"}:
            selector = found["spec"]["selector"]
            assert selector.get("matchLabels", selector) in labels
