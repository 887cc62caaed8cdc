"""Which Redis server executes a command: the only one, or the node of a Cluster that has its slot.

Nothing here does I/O. `execute` is a generator that yields what to send to which node, and gets
the replies. Threads (`connection.py`) and event loops (`loop_client.py`) run the same one.
"""

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from time import monotonic
from typing import Any, NamedTuple, TypeAlias, TypeVar

from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,  # noqa: A004  # redis-py's
    MasterDownError,
    MovedError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004
    TryAgainError,
)

Arg: TypeAlias = str | bytes | int | float
Command: TypeAlias = Sequence[Arg]
# Host and port.
Node: TypeAlias = tuple[str, int]
# The only server of a deployment without a Cluster, wherever `REDIS_URL` says that it is.
SERVER: Node = ("", 0)
T = TypeVar("T")
# A node's replies in the order of the commands, errors among them; or why it did not reply.
Answer: TypeAlias = list[Any] | RedisError

# A request is sent again once when its node does not answer; both tries share `STORE_TIMEOUT`.
MAX_TRIES = 2
# Requests are sent again this often in all, after redirections and while a slot moves.
MAX_ROUNDS = 10
# Seconds until a request is repeated whose keys are on two nodes while their slot moves; doubled
# with each round up to a limit.
FIRST_DELAY = 0.005
MAX_DELAY = 0.1
# Seconds between two refreshes of the map of slots, however many requests fail.
REFRESH_INTERVAL = 0.25
# Seconds for which requests to a node fail at once after one has timed out. Otherwise the threads
# of a process would time out one after the other: measured, 50 clients of 8 threads waited up to
# ten seconds.
COOLDOWN = 0.5
ASKING: Command = ("ASKING",)
CLUSTER_SLOTS: Command = ("CLUSTER", "SLOTS")
# Commands whose second word is not a key.
KEYLESS = {"TIME", "PING", "INFO", "CONFIG"}
NO_REPLY = (ConnectionError, TimeoutError)


class Request(NamedTuple):
    """Commands that one connection sends together, in this order."""

    commands: Sequence[Command]
    # One of their keys, which are all in one slot; "" if any node may execute the commands.
    key: str

    @classmethod
    def from_command(cls, *command: Arg) -> "Request":
        """Return a request of one command without a script."""
        key = "" if command[0] in KEYLESS else str(command[1])
        return cls((command,), key)


class Round(NamedTuple):
    """Commands to send to all these nodes before any reply is read, after `delay` seconds."""

    batches: Mapping[Node, Sequence[Command]]
    delay: float


# Yields what to send, gets the answers, and returns a result.
Exchange: TypeAlias = Generator[Round, Mapping[Node, Answer], T]


class Topology:
    """The servers and their slots, as this process knows them; threads share it."""

    def __init__(self, nodes: Sequence[Node], *, is_cluster: bool) -> None:
        """Start with the nodes of the URL: the only server, or some nodes of a Cluster."""
        self._seeds = tuple(nodes)
        self.is_cluster = is_cluster
        self._node_by_slot: dict[int, Node] = {}
        # The only server, or all nodes that have slots.
        self.masters = self._seeds
        self._is_stale = is_cluster
        # When the last refresh began, by the monotonic clock.
        self._refreshed_at = 0.0
        # Node that has timed out -> `monotonic()` until which requests to it fail.
        self._unavailable_until: dict[Node, float] = {}

    @property
    def is_known(self) -> bool:
        """Whether the map of slots was ever read, if there is one."""
        return bool(self._node_by_slot) or not self.is_cluster

    @property
    def known_nodes(self) -> tuple[Node, ...]:
        """The nodes to ask for the map of slots, masters first."""
        return tuple(dict.fromkeys((*self.masters, *self._seeds)))

    def node_of(self, key: str) -> Node:
        """Return the node that has the slot of the key."""
        if not self.is_cluster:
            return self._seeds[0]
        if not key:
            return self.masters[0]
        # To a slot without a node, any node replies CLUSTERDOWN.
        return self._node_by_slot.get(key_slot(key.encode()), self.masters[0])

    def begin_cooldown(self, node: Node) -> None:
        self._unavailable_until[node] = monotonic() + COOLDOWN

    def end_cooldowns(self) -> None:
        self._unavailable_until.clear()

    def is_available(self, node: Node) -> bool:
        """Return whether the node may be asked: it has not timed out a moment ago."""
        until = self._unavailable_until
        return not until or monotonic() >= until.get(node, 0.0)

    def needs_refresh(self) -> bool:
        """Return whether the map of slots is missing, or may have changed."""
        if not self._is_stale:
            return False
        return not self.is_known or monotonic() >= self._refreshed_at + REFRESH_INTERVAL

    def mark_stale(self) -> None:
        """Refresh the map of slots before the next request, but not more often than allowed."""
        self._is_stale = self.is_cluster

    def begin_refresh(self) -> None:
        self._refreshed_at = monotonic()
        self._is_stale = False

    def update(self, slots: Sequence[Any], asked: Node) -> None:
        """Take a node's reply to `CLUSTER SLOTS`."""
        self._node_by_slot = {
            slot: resolve(master[0], master[1], asked)
            for first, last, master, *_ in slots
            for slot in range(first, last + 1)
        }
        self._find_masters()

    def move(self, slot: int, node: Node) -> None:
        """Take a redirection. A slot seldom moves alone, so the map is refreshed, too."""
        self._node_by_slot[slot] = node
        self._find_masters()
        self._is_stale = True

    def _find_masters(self) -> None:
        self.masters = tuple(sorted(set(self._node_by_slot.values())))


def resolve(host: bytes | str | None, port: int, asked: Node) -> Node:
    """Return a node as another one names it; without a host it is that of the node asked."""
    name = host.decode() if isinstance(host, bytes) else host
    return (asked[0] if name in {None, "", "?"} else str(name), port)


class _Pending:
    """A request that has no final reply yet."""

    __slots__ = ("asked", "position", "request", "tries")

    def __init__(self, position: int, request: Request) -> None:
        self.position = position
        self.request = request
        # The node to ask although the slot still belongs to another one.
        self.asked: Node | None = None
        # How often a node did not reply.
        self.tries = 0

    @property
    def commands(self) -> Sequence[Command]:
        if self.asked is None:
            return self.request.commands
        return [part for command in self.request.commands for part in (ASKING, command)]

    def replies(self, answers: Sequence[Any]) -> list[Any]:
        return list(answers if self.asked is None else answers[1::2])


def execute(requests: Sequence[Request], topology: Topology) -> Exchange[list[list[Any]]]:
    """Execute requests; return the replies of each, one per command, errors among them.

    If a node does not reply, its requests have the error as each reply, and may have been executed.

    Raises:
        ConnectionError, TimeoutError: no node replied.
    """
    results: list[list[Any]] = [[]] * len(requests)
    pending = [_Pending(*pair) for pair in enumerate(requests)]
    delay = 0.0
    for _ in range(MAX_ROUNDS):
        if topology.needs_refresh():
            yield from refresh(topology)
        groups = _group(pending, topology)
        batches = {
            node: [command for each in group for command in each.commands]
            for node, group in groups.items()
            if topology.is_available(node)
        }
        answers = (yield Round(batches, delay)) if batches else {}
        pending = []
        for node, group in groups.items():
            if node in answers:
                pending += _take(group, answers[node], node, topology, results)
            else:
                _fail(group, TimeoutError("a request timed out a moment ago"), results)
        if not pending:
            break
        is_moving = any(
            isinstance(reply, TryAgainError) for each in pending for reply in results[each.position]
        )
        delay = min(MAX_DELAY, 2 * delay or FIRST_DELAY) if is_moving else 0.0
    if results and all(isinstance(replies[0], NO_REPLY) for replies in results):
        raise results[0][0]
    return results


def _group(pending: Sequence[_Pending], topology: Topology) -> Mapping[Node, list[_Pending]]:
    if len(pending) == 1:
        (only,) = pending
        return {only.asked or topology.node_of(only.request.key): [only]}
    groups: dict[Node, list[_Pending]] = defaultdict(list)
    for each in pending:
        groups[each.asked or topology.node_of(each.request.key)].append(each)
    return groups


def _take(
    group: Sequence[_Pending],
    answer: Answer,
    node: Node,
    topology: Topology,
    results: list[list[Any]],
) -> list[_Pending]:
    """Store the replies of a node; return the requests to send again."""
    if isinstance(answer, RedisError):
        topology.mark_stale()
        _fail(group, answer, results)
        again = [each for each in group if each.tries < MAX_TRIES]
        if isinstance(answer, TimeoutError) and not again:
            topology.begin_cooldown(node)
        return again
    again, start = [], 0
    for each in group:
        count = len(each.commands)
        replies = each.replies(answer[start : start + count])
        results[each.position] = replies
        start += count
        if _is_redirected(each, replies, node, topology):
            again.append(each)
    return again


def _fail(group: Sequence[_Pending], error: RedisError, results: list[list[Any]]) -> None:
    for each in group:
        results[each.position] = [error] * len(each.request.commands)
        each.asked, each.tries = None, each.tries + 1


def _is_redirected(
    pending: _Pending, replies: Sequence[Any], node: Node, topology: Topology
) -> bool:
    """Return whether the request must be sent again, and where to, as its replies say."""
    pending.asked = None
    if not topology.is_cluster:
        return False
    for reply in replies:
        if not isinstance(reply, ResponseError):
            continue
        if isinstance(reply, MovedError):
            topology.move(reply.slot_id, resolve(reply.host, reply.port, node))
            return True
        if isinstance(reply, AskError):
            pending.asked = resolve(reply.host, reply.port, node)
            return True
        if isinstance(reply, TryAgainError):
            return True
        if isinstance(reply, (ClusterDownError, MasterDownError)):
            topology.mark_stale()
    return False


def refresh(topology: Topology) -> Exchange[None]:
    """Ask nodes for the map of slots until one replies. Without a reply, an earlier map stays.

    Raises:
        RedisError: no node replied, and there is no earlier map.
    """
    topology.begin_refresh()
    error: RedisError = ConnectionError("the Cluster has no nodes")
    for node in filter(topology.is_available, topology.known_nodes):
        (answer,) = (yield Round({node: [CLUSTER_SLOTS]}, 0.0)).values()
        reply = answer if isinstance(answer, RedisError) else answer[0]
        if not isinstance(reply, RedisError) and reply:
            topology.update(reply, node)
            return
        error = reply if isinstance(reply, RedisError) else error
        if isinstance(reply, TimeoutError):
            topology.begin_cooldown(node)
    topology.mark_stale()
    if not topology.is_known:
        raise error


def find_masters(topology: Topology) -> Exchange[tuple[Node, ...]]:
    """Return the only server, or all nodes that have slots.

    Raises:
        RedisError: no node knows them.
    """
    topology.mark_stale()
    if topology.needs_refresh():
        yield from refresh(topology)
    return topology.masters


def execute_on(node: Node, commands: Sequence[Command]) -> Exchange[list[Any]]:
    """Execute commands on one node, once; return the replies, errors among them.

    Raises:
        ConnectionError, TimeoutError: it did not reply.
    """
    answer = (yield Round({node: commands}, 0.0))[node]
    if isinstance(answer, RedisError):
        raise answer
    return answer
