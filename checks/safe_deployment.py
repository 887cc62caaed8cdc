"""docker-compose.yml and deploy/ are the safe choice: risks are off, and rights are minimal."""

import re
from collections.abc import Iterator
from typing import Any

from checks.compose import COMPOSE, SERVICES, redis_options
from checks.files import at, lookup, read
from checks.kubernetes import RESOURCES, WORKLOADS, containers, named

# What strangers could abuse, if it was on.
OFF = ("CHAT_ANONYMOUS_SESSIONS", "CHAT_TUTORIAL", "CHAT_URL_TOKENS", "CHAT_SESSION_WEBHOOKS")
BUDGET, DAILY_TOKENS = "CHAT_DAILY_TOKEN_BUDGET", 5_000_000
RESTRICTED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
PORT = "${PUBLISH:-127.0.0.1}:${PORT:-8000}:8080"
ENV = "deploy/kubernetes/base/parley.env"
UNITS = {"m": 2**20, "mb": 2**20, "Mi": 2**20, "g": 2**30, "gb": 2**30, "Gi": 2**30}
# What the proxy's files change in those of docs/nginx.md.
CHANGED = {
    "server 127.0.0.1:8000 max_fails=0;": "server web:8000 max_fails=0;",
    "/var/log/nginx/parley.log": "/dev/stdout",
    "X-Forwarded-Proto $scheme;": "X-Forwarded-Proto $parley_scheme;",
}
PROXY_FILES = {
    "deploy/nginx/parley.conf": "/etc/nginx/conf.d/parley.conf",
    "deploy/nginx/parley-proxy.conf": "/etc/nginx/snippets/parley-proxy.conf",
    "deploy/nginx/parley-errors.conf": "/etc/nginx/snippets/parley-errors.conf",
}


def bytes_of(text: str) -> int:
    """Return the bytes of a size such as 768mb or 1536Mi; 0 if it is none."""
    found = re.fullmatch(r"(\d+)([a-zA-Z]+)", text or "")
    return int(found[1]) * UNITS[found[2]] if found else 0


def restricted_services() -> Iterator[str]:
    """Services have no rights that they do not need, and limited memory."""
    for name, service in SERVICES.items():
        where = at(COMPOSE, f"  {name}:")
        for key, value in RESTRICTED.items():
            if service.get(key) != value:
                yield f"{where}: {name}: set {key} to {value}"
        if not bytes_of(service.get("mem_limit", "")):
            yield f"{where}: {name}: set mem_limit"
    if SERVICES["model"].keys() & {"env_file", "environment"}:
        yield f"{at(COMPOSE, '  model:')}: the fake model must get no settings: they contain keys"


def no_escalation() -> Iterator[str]:
    """Containers cannot gain rights."""
    for workload in WORKLOADS:
        for each in containers(workload):
            if lookup(each, "securityContext.allowPrivilegeEscalation") is not False:
                yield f"{workload}: container {each['name']}: set allowPrivilegeEscalation to false"


def published_ports() -> Iterator[str]:
    """Only the proxy is reachable, and only on loopback; the Ingress in a cluster."""
    for name, service in SERVICES.items():
        expected = [PORT] if name == "proxy" else []
        if service.get("ports", []) != expected:
            yield f"{at(COMPOSE, f'  {name}:')}: {name}: expected ports {expected}"
    for resource in RESOURCES:
        if resource.kind == "Service" and resource.get("spec.type") not in {None, "ClusterIP"}:
            yield f"{resource}: expected type ClusterIP: only the Ingress is public"


def risky_features() -> Iterator[str]:
    """What strangers could abuse is off."""
    for name in OFF:
        for service in ("web", "worker"):
            if lookup(SERVICES[service], f"environment.{name}") != f"${{{name}:-False}}":
                yield f"{at(COMPOSE, f'  {service}:')}: set {name} to ${{{name}:-False}}"
        if f"\n{name}=False\n" not in read(ENV):
            yield f"{at(ENV, name)}: set {name}=False"


def daily_budget() -> Iterator[str]:
    """A budget limits what strangers can spend together."""
    for service in ("web", "worker"):
        if lookup(SERVICES[service], f"environment.{BUDGET}") != f"${{{BUDGET}:-{DAILY_TOKENS}}}":
            yield f"{at(COMPOSE, f'  {service}:')}: set {BUDGET} to ${{{BUDGET}:-{DAILY_TOKENS}}}"
    if f"\n{BUDGET}={DAILY_TOKENS}\n" not in read(ENV):
        yield f"{at(ENV, BUDGET)}: set {BUDGET}={DAILY_TOKENS}"
    if f"{DAILY_TOKENS:,} tokens a day" not in read("docs/budgets.md"):
        yield f"{at('docs/budgets.md')}: name the limit of {DAILY_TOKENS:,} tokens a day"


def redis_access() -> Iterator[str]:
    """Redis has the documented user only, and memory for a copy of its data."""
    (acl,) = re.findall(r"^user parley .+$", read("docs/security.md"), re.MULTILINE)
    manifest = named("StatefulSet", "redis")
    container: dict[str, Any] = containers(manifest)[-1]
    service = SERVICES["redis"]
    for where, script, limit, sign in (
        (at(COMPOSE, "  redis:"), service["command"][-1], service["mem_limit"], "$$"),
        (
            str(manifest),
            container["args"][-1],
            lookup(container, "resources.limits.memory"),
            "$",
        ),
    ):
        own = acl.replace(">password", f">{sign}REDIS_PASSWORD")
        for line in (f"user default reset on >{sign}ADMIN ~* &* +@all", own):
            if f"\n{line}\n" not in script:
                yield f"{where}: expected the line `{line}`"
        maxmemory = bytes_of(redis_options(script).get("--maxmemory", ""))
        if not 0 < 2 * maxmemory <= bytes_of(limit):
            yield f"{where}: set --maxmemory to at most half of the limit {limit}"


def documented_proxy() -> Iterator[str]:
    """The proxy's files are those of docs/nginx.md."""
    page = read("docs/nginx.md")
    for path, name in PROXY_FILES.items():
        (documented,) = re.findall(rf"^```nginx\n# {name}\n((?:.*\n)*?)```$", page, re.MULTILINE)
        for old, new in CHANGED.items():
            documented = documented.replace(old, new)
        if read(path).partition("\n")[2] != documented:
            yield f"{at(path)}: expected the file {name} of docs/nginx.md, with {CHANGED}"
        if not any(path in str(mount) for mount in SERVICES["proxy"]["volumes"]):
            yield f"{at(COMPOSE, '  proxy:')}: mount {path}"


CHECKS = (
    restricted_services,
    no_escalation,
    published_ports,
    risky_features,
    daily_budget,
    redis_access,
    documented_proxy,
)
