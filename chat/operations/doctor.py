"""The checks of `manage.py doctor`: settings, Redis, broker, workers and models."""

from collections.abc import Iterator
from dataclasses import replace

from chat.conversation import llms
from chat.domain import Model
from chat.domain.errors import ConfigError, ProviderError, StoreUnavailable
from chat.operations import broker_check, deployment_checks, health
from chat.operations.checks import CheckResult, Level, result
from chat.providers import deviations
from chat.providers.registry import provider_for
from chat.settings import chat_settings
from chat.store import server_info, workers
from chat.store.server_info import ServerInfo
from chat.store.workers import WorkerInfo

# The oldest Redis or Valkey that has all commands of the scripts.
MIN_VERSION = (7, 0)
# A slower round trip makes every request noticeably slow.
MAX_ROUND_TRIP_SECONDS = 0.005
# A larger difference makes logs hard to read. Guarantees depend on Redis's clock only.
MAX_CLOCK_SKEW = 5.0
# What to do about a deviation in the response of a model.
AFTER_REPLY = "harmless unless its replies are wrong; docs/models.md explains it"
AFTER_FAILURE = "this may be why the call failed; docs/models.md explains it"
CHECK_ACL = "check REDIS_URL, and the permissions of its user (docs/security.md)"


def run_checks(*, call_models: bool = False) -> Iterator[CheckResult]:
    """Check settings, Redis, broker, workers and models.

    call_models: make a small real call to each model, which may cost money.
    """
    yield from deployment_checks.check()
    yield from _redis()
    yield from _broker_and_workers()
    yield from _models(call_models=call_models)


def _redis() -> Iterator[CheckResult]:
    try:
        infos, failures = server_info.get_server_infos()
    except StoreUnavailable as error:
        message = f"Redis does not answer: {error.__cause__}"
        yield CheckResult(Level.ERROR, message, "check REDIS_URL")
        return
    except ConfigError as error:
        yield CheckResult(Level.ERROR, error.message, CHECK_ACL)
        return
    for failure in failures:
        message = f"a node of the Cluster does not answer: {failure.__cause__}"
        yield CheckResult(Level.ERROR, message, "its sessions are unavailable: restart it")
    yield _partitions()
    for info in infos:
        for each in (*_server(info), *_durability(info), *_network(info)):
            yield replace(each, message=f"{info.address}: {each.message}") if info.address else each


def _server(info: ServerInfo) -> Iterator[CheckResult]:
    version = ".".join(map(str, info.version))
    yield result(
        info.version >= MIN_VERSION,
        Level.ERROR,
        f"{info.name} {version}",
        "upgrade to 7.0 or newer",
    )
    yield result(
        info.role == "master",
        Level.ERROR,
        f"Redis is a {info.role}",
        "set REDIS_URL to the primary: replicas are read-only",
    )
    if deployment_checks.is_public():
        yield result(
            bool(info.maxmemory),
            Level.WARNING,
            f"maxmemory is {info.maxmemory or 'not set'}",
            "set it to at most half of the memory that Redis may use. Otherwise clients can fill"
            " the machine's memory, and the kernel kills Redis",
        )
    yield result(
        info.maxmemory_policy == "noeviction",
        Level.ERROR,
        f"maxmemory-policy is {info.maxmemory_policy}",
        "set it to noeviction, or Redis may delete accepted messages",
    )


def _durability(info: ServerInfo) -> Iterator[CheckResult]:
    yield result(
        info.has_aof,
        Level.WARNING,
        f"append-only file is {'on' if info.has_aof else 'off'}",
        "set appendonly yes, or a restart of Redis loses messages accepted since its last snapshot",
    )
    if info.disk_problem:
        yield CheckResult(
            Level.ERROR,
            f"Redis cannot write to its disk: {info.disk_problem}",
            "free space on Redis's disk, or see Redis's log. Until then, it rejects all changes",
        )
    if info.delayed_fsyncs:
        yield CheckResult(
            Level.WARNING,
            f"slow disk: Redis delayed {info.delayed_fsyncs} fsyncs",
            "use a faster disk or appendfsync always: a killed Redis can lose messages",
        )


def _network(info: ServerInfo) -> Iterator[CheckResult]:
    yield result(
        info.latency < MAX_ROUND_TRIP_SECONDS,
        Level.WARNING,
        f"a round trip takes {1000 * info.latency:.2f} ms",
        "move Redis closer: every request waits for it",
    )
    yield result(
        abs(info.clock_skew) < MAX_CLOCK_SKEW,
        Level.WARNING,
        f"Redis's clock differs by {info.clock_skew:+.1f} s",
        "run NTP on both machines",
    )


def _partitions() -> CheckResult:
    try:
        health.check_partitions()
    except (ConfigError, StoreUnavailable) as error:
        return CheckResult(Level.ERROR, error.message, "docs/scaling.md explains how to change it")
    return CheckResult(Level.OK, f"CHAT_PARTITIONS is {chat_settings.PARTITIONS}")


def _broker_and_workers() -> Iterator[CheckResult]:
    alive: list[WorkerInfo] = []
    try:
        alive = [
            worker for worker in workers.list_workers() if worker.age < chat_settings.LEASE_TTL
        ]
        yield _count_workers(alive)
    except StoreUnavailable:
        pass  # already reported
    except ConfigError as error:
        message = f"workers cannot be listed: {error.message}"
        yield CheckResult(Level.ERROR, message, CHECK_ACL)
    yield from broker_check.check_broker(alive)


def _count_workers(alive: list[WorkerInfo]) -> CheckResult:
    running = sum(worker.running_turns for worker in alive)
    return result(
        bool(alive),
        Level.ERROR,
        f"{len(alive)} workers alive, {running} turns running",
        "start one: celery -A celery_app worker",
    )


def _models(*, call_models: bool) -> Iterator[CheckResult]:
    for model in llms.all_models().values():
        with deviations.collect() as found:
            checked = _check_model(model, is_called=call_models)
        yield checked
        hint = AFTER_FAILURE if checked.level is Level.ERROR else AFTER_REPLY
        for deviation in found:
            yield CheckResult(Level.WARNING, f"model {model.name}: {deviation}", hint)


def _check_model(model: Model, *, is_called: bool) -> CheckResult:
    try:
        provider = provider_for(model)
        if is_called:
            provider.check()
    except (ConfigError, ProviderError) as error:
        hint = f"check its entry and {model.url}"
        return CheckResult(Level.ERROR, f"model {model.name}: {error.message}", hint)
    state = "answers" if is_called else "not called (use --call-models)"
    return CheckResult(Level.OK, f"model {model.name}: {state}")
