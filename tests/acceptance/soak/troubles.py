"""What goes wrong in a soak: each trouble is brought about, lasts for a while, and is mended."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from tests.acceptance.soak.place import NUMBERS, Place
from tests.harness.processes import Process
from tests.harness.proxy import Proxy

NOWHERE = ("127.0.0.1", 1)
"""Where no Redis is."""
TOGETHER = (1, 1, 2)
"""How many things are in trouble at the same time."""
LASTS = (0.0, 0.3, 1.0, 3.0)
"""Seconds; the last is longer than a lease."""
CALM = (0.3, 1.0, 2.0)
"""Seconds between two troubles."""

Trouble = Callable[[Place], AbstractContextManager[None]]


@contextmanager
def killed(process: Process) -> Iterator[None]:
    """SIGKILL."""
    process.kill()
    yield
    process.start()


@contextmanager
def stopped(process: Process) -> Iterator[None]:
    """SIGTERM, as a deploy does."""
    assert process.stop() in {0, -15}, f"{process.program.name} exits with {process.exit_code}"
    yield
    process.start()


@contextmanager
def frozen(process: Process) -> Iterator[None]:
    """SIGSTOP."""
    process.freeze()
    yield
    process.thaw()


@contextmanager
def refused(link: Proxy) -> Iterator[None]:
    """No connection, old or new."""
    link.refuse_connections()
    yield
    link.accept_connections()


@contextmanager
def held(link: Proxy) -> Iterator[None]:
    """Nothing passes."""
    link.pause()
    yield
    link.resume()


@contextmanager
def half_open(link: Proxy) -> Iterator[None]:
    """The links that stand are dead, and nobody knows it."""
    link.half_open()
    yield


@contextmanager
def cut(link: Proxy) -> Iterator[None]:
    """The links that stand end."""
    link.disconnect()
    yield


@contextmanager
def full(here: Place) -> Iterator[None]:
    """Redis has reached `maxmemory`."""
    here.redis.config_set("maxmemory", 1)
    yield
    here.redis.config_set("maxmemory", 0)


@contextmanager
def read_only(here: Place) -> Iterator[None]:
    """Redis answers READONLY."""
    here.redis.replicaof(*NOWHERE)
    yield
    here.redis.replicaof("NO", "ONE")


@contextmanager
def forgetful(here: Place) -> Iterator[None]:
    """Redis forgets its scripts."""
    here.redis.script_flush()
    yield


@contextmanager
def flushed(here: Place) -> Iterator[None]:
    """The broker forgets its wake-ups."""
    here.flush(here.broker)
    yield


@dataclass(frozen=True, slots=True)
class Card:
    """A trouble in the deck."""

    name: str
    victim: str
    """No two troubles befall the same one at the same time."""
    trouble: Trouble


def deck() -> list[Card]:
    """Return all troubles, the more frequent ones more than once."""
    cards = 3 * [Card("kill redis", "redis", lambda here: killed(here.stack.redis))]
    cards += [
        Card("freeze redis", "redis", lambda here: frozen(here.stack.redis)),
        Card("fill redis", "redis", full),
        Card("make redis read-only", "redis", read_only),
        Card("flush scripts", "redis", forgetful),
        Card("kill broker", "broker", lambda here: killed(here.broker)),
        Card("freeze broker", "broker", lambda here: frozen(here.broker)),
        Card("flush broker", "broker", flushed),
    ]
    for number in NUMBERS:
        cards += _of_worker(number) + _of_web(number)
    return cards


def _of_worker(number: int) -> list[Card]:
    victim = f"worker{number}"
    place = number + len(NUMBERS)
    return [
        *(2 * [Card("kill worker", victim, lambda here: killed(here.workers[number]))]),
        Card("stop worker", victim, lambda here: stopped(here.workers[number])),
        Card("freeze worker", victim, lambda here: frozen(here.workers[number])),
        Card("cut worker off", victim, lambda here: refused(here.data_links[place])),
        Card("let worker's data wait", victim, lambda here: held(here.data_links[place])),
        Card("half-open worker's broker", victim, lambda here: half_open(here.broker_links[place])),
    ]


def _of_web(number: int) -> list[Card]:
    victim = f"web{number}"
    return [
        *(2 * [Card("kill web", victim, lambda here: killed(here.webs[number]))]),
        Card("stop web", victim, lambda here: stopped(here.webs[number])),
        Card("freeze web", victim, lambda here: frozen(here.webs[number])),
        Card("cut web's data", victim, lambda here: cut(here.data_links[number])),
        Card("hold web's publishing", victim, lambda here: held(here.broker_links[number])),
        Card("cut clients", victim, lambda here: cut(here.doors[number])),
    ]


class Fate:
    """Deals troubles in an order that hangs on the seed alone."""

    def __init__(self, here: Place, seed: int) -> None:
        self.dealt: Counter[str] = Counter()
        self._here = here
        self._random = random.Random(seed)
        self._deck: list[Card] = []

    def strike(self, say: Callable[[str], None]) -> None:
        """Bring one or two troubles about, let them last, mend them, and give a moment's calm."""
        cards = self._deal()
        lasts = self._random.choice(LASTS)
        say(f"{' and '.join(f'{card.name} ({card.victim})' for card in cards)} for {lasts} s")
        with ExitStack() as troubles:
            for card in cards:
                troubles.enter_context(card.trouble(self._here))
                self._here.history.faults_everywhere += 1
                self.dealt[card.name] += 1
            self._here.pause(lasts)
        self._here.pause(self._random.choice(CALM))
        for process in self._here.servants:
            assert process.is_running, f"{process.program.name} died by itself:\n{process.log}"

    @property
    def kills(self) -> int:
        """Processes that were killed."""
        return sum(number for name, number in self.dealt.items() if name.startswith("kill"))

    def _deal(self) -> list[Card]:
        cards: list[Card] = []
        for _ in range(self._random.choice(TOGETHER)):
            if not self._deck:
                self._deck = deck()
                self._random.shuffle(self._deck)
            if all(card.victim != self._deck[-1].victim for card in cards):
                cards.append(self._deck.pop())
        return cards
