"""deploy/kubernetes is valid, and starts the same commands as docker-compose.yml."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes_validate
import yaml

from checks.compose import SAME_IN_REDIS, SERVICES, STOP_MARGIN, redis_options
from checks.files import at, lookup, read
from project.runner.process import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
# The oldest and the newest supported version of Kubernetes.
VERSIONS = ("1.29", "1.37")
# Workloads of one pod: a volume belongs to one pod at a time.
SINGLE = {"redis", "staff"}
BUDGET = "PodDisruptionBudget"
# Of KEDA; `checks.overlays` checks them.
SCALED_OBJECT = "ScaledObject"


class Resource(NamedTuple):
    """One document of a manifest."""

    path: Path
    document: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.document["kind"])

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    def __str__(self) -> str:
        return f"{at(self.path, f'kind: {self.kind}')}: {self.kind} {self.name}"

    def get(self, path: str) -> Any:
        """Return what is at a dotted path, or None."""
        return lookup(self.document, path)


RESOURCES = [
    Resource(path, document)
    for path in sorted(FOLDER.rglob("*.yaml"))
    if path.name != "kustomization.yaml"
    for document in yaml.safe_load_all(path.read_text())
]
WORKLOADS = [each for each in RESOURCES if each.get("spec.template")]


def named(kind: str, name: str) -> Resource:
    """Return the only resource with this kind and name."""
    (found,) = (each for each in RESOURCES if (each.kind, each.name) == (kind, name))
    return found


def containers(workload: Resource) -> list[dict[str, Any]]:
    """Return the containers of a workload, those that run first included."""
    pod = workload.get("spec.template.spec")
    return [*pod.get("initContainers", []), *pod["containers"]]


def valid_manifests() -> Iterator[str]:
    """Kubernetes accepts each manifest."""
    for resource in RESOURCES:
        for version in VERSIONS if resource.kind != SCALED_OBJECT else ():
            try:
                kubernetes_validate.validate(resource.document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{resource}: not valid in Kubernetes {version}: {error.message}"


def same_settings() -> Iterator[str]:
    """Settings exist, and commands are those of the Compose file."""
    env = "deploy/kubernetes/base/parley.env"
    settings = dict(re.findall(r"^(\w+)=(.*)$", read(env), re.MULTILINE))
    known = re.findall(r"^#(\w+)=", read(".env.example"), re.MULTILINE)
    for name in settings.keys() - set(known):
        yield f"{at(env, name)}: unknown setting {name}"
    worker = named("Deployment", "worker")
    grace = worker.get("spec.template.spec.terminationGracePeriodSeconds") or 0
    if grace < float(settings["CHAT_DRAIN_TIMEOUT"]) + STOP_MARGIN:
        yield f"{worker}: terminationGracePeriodSeconds must exceed CHAT_DRAIN_TIMEOUT by 5"
    if containers(worker)[-1]["args"] != SERVICES["worker"]["command"]:
        yield f"{worker}: expected the args of the Compose file, {SERVICES['worker']['command']}"


def least_privilege() -> Iterator[str]:
    """Pods have no rights that they do not need, and limited memory."""
    for workload in WORKLOADS:
        pod = workload.get("spec.template.spec")
        if lookup(pod, "securityContext.runAsNonRoot") is not True:
            yield f"{workload}: set runAsNonRoot"
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{workload}: set automountServiceAccountToken to false"
        for container in containers(workload):
            where = f"{workload}: container {container['name']}"
            if lookup(container, "securityContext.readOnlyRootFilesystem") is not True:
                yield f"{where}: set readOnlyRootFilesystem"
            if lookup(container, "securityContext.capabilities.drop") != ["ALL"]:
                yield f"{where}: drop ALL capabilities"
            if not lookup(container, "resources.limits.memory"):
                yield f"{where}: limit its memory"


def selectors() -> Iterator[str]:
    """Workloads, services and disruption budgets select existing pods."""
    labels = [each.get("spec.template.metadata.labels") for each in WORKLOADS]
    for workload, own in zip(WORKLOADS, labels, strict=True):
        if workload.get("spec.selector.matchLabels") != own:
            yield f"{workload}: its selector must be the labels of its pods, {own}"
    for resource in RESOURCES:
        if resource.kind in {"Service", "PodDisruptionBudget"}:
            selector = resource.get("spec.selector")
            if selector.get("matchLabels", selector) not in labels:
                yield f"{resource}: its selector matches no pod"


def availability() -> Iterator[str]:
    """Workloads of several pods spread over nodes, are drained one by one, and restart if stuck."""
    budgets = [each.get("spec.selector.matchLabels") for each in RESOURCES if each.kind == BUDGET]
    for workload in WORKLOADS:
        pod = workload.get("spec.template.spec")
        labels = workload.get("spec.template.metadata.labels")
        if workload.name in SINGLE:
            continue
        spread = {each["topologyKey"] for each in pod.get("topologySpreadConstraints", [])}
        if spread != {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}:
            yield f"{workload}: spread its pods over nodes and zones"
        if labels not in budgets:
            yield f"{workload}: add a PodDisruptionBudget"
        if workload.kind == "Deployment" and not lookup(pod["containers"][0], "livenessProbe"):
            yield f"{workload}: add a livenessProbe"
    worker = containers(named("Deployment", "worker"))[-1]
    (heartbeat,) = (e["value"] for e in worker["env"] if e["name"] == "CHAT_HEARTBEAT_FILE")
    for probe, file in (("livenessProbe", f"{heartbeat}.loop"), ("readinessProbe", heartbeat)):
        if file not in str(lookup(worker, f"{probe}.exec.command")):
            yield f"{named('Deployment', 'worker')}: its {probe} must read {file}"


def redis_servers() -> Iterator[str]:
    """Each Redis stores as that of the Compose file, has Parley's user, and fits its pod."""
    given = redis_options(SERVICES["redis"]["command"][-1])
    user = next(line for line in read("docs/security.md").splitlines() if "user parley" in line)
    rules = user.partition(">password")[2]
    for workload in (each for each in WORKLOADS if each.kind == "StatefulSet"):
        (redis,) = (each for each in containers(workload) if each["name"] == "redis")
        script = redis["args"][-1]
        if script.startswith("/scripts/"):
            script = (workload.path.parent / script.removeprefix("/scripts/")).read_text()
        for option in (f"--{name} {given.get(f'--{name}')}" for name in SAME_IN_REDIS):
            if option not in script:
                yield f"{workload}: expected {option}, as in the Compose file"
        if f"user parley on >$REDIS_PASSWORD{rules}" not in script:
            yield f"{workload}: expected the user of docs/security.md"
        maxmemory = int(re.findall(r"--maxmemory (\d+)mb", script)[0])
        # A copy of the process rewrites the append-only file.
        if int(redis["resources"]["limits"]["memory"].removesuffix("Mi")) < 2 * maxmemory:
            yield f"{workload}: its memory must be twice maxmemory"


CHECKS = (
    valid_manifests,
    same_settings,
    least_privilege,
    selectors,
    availability,
    redis_servers,
)
