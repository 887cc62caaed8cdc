"""Whether everything that Parley stands on is well: what is wrong, and what to do about it."""

from collections.abc import Iterator

from chat import broker
from chat.conversation import llms
from chat.domain.errors import ConfigError, ProviderError, StoreUnavailable
from chat.operations import deployment_checks
from chat.operations.checks import Finding, Level, judged
from chat.providers.registry import provider_for
from chat.settings import chat_settings
from chat.store import client, server

# The oldest server, Redis or Valkey, whose commands the scripts may use.
LOWEST = (7, 0)
# Seconds for a PING above which every request is felt to be slow.
SLOW = 0.005
# Seconds between two clocks that make logs hard to read; promises hang on Redis's clock alone.
SKEW = 5.0
REFUSED = "look at REDIS_URL, and in docs/security.md at what its user may do"


def check(*, call_models: bool = False) -> Iterator[Finding]:
    """Look at settings, Redis, broker, workers and models.

    call_models: make a tiny real call to each model, which may cost money.
    """
    yield from deployment_checks.check()
    yield from _redis()
    yield from _broker()
    yield from _workers()
    yield from _models(call_models=call_models)


def ping() -> None:
    """Ask Redis for a sign of life.

    Raises:
        StoreUnavailable: it gives none within `CHAT_STORE_TIMEOUT`.
    """
    client.ping()


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


def _redis() -> Iterator[Finding]:
    try:
        facts = server.facts()
    except StoreUnavailable as error:
        yield Finding(Level.WRONG, f"Redis gives no answer: {error.__cause__}", "look at REDIS_URL")
        return
    except ConfigError as error:
        yield Finding(Level.WRONG, error.message, REFUSED)
        return
    version = ".".join(map(str, facts.version))
    yield judged(
        facts.version >= LOWEST, Level.WRONG, f"{facts.name} {version}", "upgrade to 7.0 or newer"
    )
    yield judged(
        facts.role == "master",
        Level.WRONG,
        f"it is a {facts.role}",
        "point REDIS_URL at the primary: a replica takes no writes",
    )
    yield judged(
        facts.eviction == "noeviction",
        Level.WRONG,
        f"maxmemory-policy is {facts.eviction}",
        "set it to noeviction, or Redis may throw accepted messages away",
    )
    yield judged(
        facts.appends,
        Level.WARNING,
        f"append-only file is {'on' if facts.appends else 'off'}",
        "set appendonly yes, or a restart of Redis loses what was accepted since its last save",
    )
    if facts.held_back:
        yield Finding(
            Level.WARNING,
            f"its disk was slow: it answered {facts.held_back} times before it wrote",
            "give it a faster disk, or set appendfsync always: killed then it loses messages",
        )
    yield judged(
        facts.latency < SLOW,
        Level.WARNING,
        f"a PING takes {1000 * facts.latency:.2f} ms",
        "put Redis near: every request waits for it",
    )
    yield judged(
        abs(facts.clock_skew) < SKEW,
        Level.WARNING,
        f"its clock is {facts.clock_skew:+.1f} s from this one",
        "run NTP on both machines",
    )


def _broker() -> Iterator[Finding]:
    depth = broker.queue_length()
    if depth is None:
        advice = "look at BROKER_URL; what is accepted meanwhile waits until then"
        yield Finding(Level.WRONG, "the broker cannot be reached", advice)
    else:
        yield Finding(Level.OK, f"the broker holds {depth} wake-ups")


def _workers() -> Iterator[Finding]:
    try:
        alive = [worker for worker in server.workers() if worker.age < chat_settings.LEASE_TTL]
    except StoreUnavailable:
        return  # said already
    except ConfigError as error:
        yield Finding(Level.WRONG, f"workers cannot be listed: {error.message}", REFUSED)
        return
    running = sum(worker.running for worker in alive)
    yield judged(
        bool(alive),
        Level.WRONG,
        f"{len(alive)} workers alive, {running} turns running",
        "start one: celery -A celery_app worker",
    )


def _models(*, call_models: bool) -> Iterator[Finding]:
    for model in llms.all_models().values():
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
