"""Whether everything that Parley stands on is well: what is wrong, and what to do about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from chat import dispatch
from chat.conf import knobs
from chat.errors import ConfigError, ProviderError, StoreUnavailable
from chat.providers.registry import provider_for
from chat.services import models
from chat.store import server

LOWEST = (7, 0)
"""The oldest server, Redis or Valkey, whose commands the scripts may use."""
SLOW = 0.005
"""Seconds for a PING above which every request is felt to be slow."""
SKEW = 5.0
"""Seconds between two clocks that make logs hard to read; promises hang on Redis's clock alone."""


class Level(StrEnum):
    """How a thing stands."""

    OK = "ok"
    WARNING = "warning"
    """It works; somebody should look."""
    WRONG = "wrong"
    """A promise does not hold, or nothing works."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    advice: str = ""


def check(*, call_models: bool = False) -> Iterator[Finding]:
    """Look at settings, Redis, broker, workers and models.

    call_models: make a tiny real call to each model, which may cost money.
    """
    yield from _settings()
    yield from _redis()
    yield from _broker()
    yield from _workers()
    yield from _models(call_models=call_models)


def evicts() -> bool:
    """Whether the server throws keys away when memory runs out, so that nothing is safe.

    Raises:
        StoreUnavailable: it gives no answer.
        ConfigError: the user of `REDIS_URL` may not ask.
    """
    return server.facts().eviction != "noeviction"


def show_life(worker: str, *, running: int) -> None:
    """Tell that a worker lives, and how many turns it has in flight.

    Raises:
        StoreUnavailable: Redis gives no answer.
    """
    server.beat(worker, running=running)


def leave(worker: str) -> None:
    """Tell that a worker stops.

    Raises:
        StoreUnavailable: Redis gives no answer; it is forgotten in time.
    """
    server.leave(worker)


def _settings() -> Iterator[Finding]:
    if settings.DEBUG:
        yield Finding(Level.WARNING, "DEBUG is on", "set DEBUG=0 where strangers can reach it")
    longest = knobs.TURN_DEADLINE + knobs.SESSION_TTL
    if longest > knobs.KEY_MARGIN:
        yield Finding(
            Level.WRONG,
            "keys may expire before their turns are over",
            "set CHAT_KEY_MARGIN above CHAT_TURN_DEADLINE + CHAT_SESSION_TTL",
        )
    if knobs.HEARTBEAT * 3 > knobs.LEASE:
        yield Finding(
            Level.WRONG,
            f"a lease of {knobs.LEASE} s is too short for a heartbeat of {knobs.HEARTBEAT} s",
            "set CHAT_LEASE to three times CHAT_HEARTBEAT or more",
        )


def _redis() -> Iterator[Finding]:
    try:
        facts = server.facts()
    except StoreUnavailable as error:
        yield Finding(Level.WRONG, f"Redis gives no answer: {error.__cause__}", "look at REDIS_URL")
        return
    except ConfigError as error:
        yield Finding(Level.WRONG, error.message, "see its section about Redis")
        return
    version = ".".join(map(str, facts.version))
    yield _judged(
        facts.version >= LOWEST, Level.WRONG, f"{facts.name} {version}", "upgrade to 7.0 or newer"
    )
    yield _judged(
        facts.role == "master",
        Level.WRONG,
        f"it is a {facts.role}",
        "point REDIS_URL at the primary: a replica takes no writes",
    )
    yield _judged(
        facts.eviction == "noeviction",
        Level.WRONG,
        f"maxmemory-policy is {facts.eviction}",
        "set it to noeviction, or Redis may throw accepted messages away",
    )
    yield _judged(
        facts.appends,
        Level.WARNING,
        f"append-only file is {'on' if facts.appends else 'off'}",
        "set appendonly yes, or a restart of Redis loses what was accepted since its last save",
    )
    yield _judged(
        facts.latency < SLOW,
        Level.WARNING,
        f"a PING takes {1000 * facts.latency:.2f} ms",
        "put Redis near: every request waits for it",
    )
    yield _judged(
        abs(facts.clock_skew) < SKEW,
        Level.WARNING,
        f"its clock is {facts.clock_skew:+.1f} s from this one",
        "run NTP on both machines",
    )


def _broker() -> Iterator[Finding]:
    depth = dispatch.depth()
    if depth is None:
        advice = "look at BROKER_URL; until then sweeps keep turns going, slowly"
        yield Finding(Level.WRONG, "the broker cannot be reached", advice)
    else:
        yield Finding(Level.OK, f"the broker holds {depth} wake-ups")


def _workers() -> Iterator[Finding]:
    try:
        alive = [worker for worker in server.workers() if worker.age < knobs.LEASE]
    except StoreUnavailable:
        return  # said already
    running = sum(worker.running for worker in alive)
    yield _judged(
        bool(alive),
        Level.WRONG,
        f"{len(alive)} workers alive, {running} turns running",
        "start one: celery -A celery_app worker",
    )


def _models(*, call_models: bool) -> Iterator[Finding]:
    for model in models.all_models().values():
        try:
            provider = provider_for(model)
            if call_models:
                provider.probe()
        except (ConfigError, ProviderError) as error:
            advice = f"look at its entry and at {model.url}"
            yield Finding(Level.WRONG, f"model {model.name}: {error.message}", advice)
        else:
            answered = "answers" if call_models else "not called; --call-models does"
            yield Finding(Level.OK, f"model {model.name}: {answered}")


def _judged(is_well: bool, level: Level, what: str, advice: str) -> Finding:  # noqa: FBT001
    return Finding(Level.OK, what) if is_well else Finding(level, what, advice)
