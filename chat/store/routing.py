"""Which Redis server executes a command: the only one, or the node of a Cluster that has its slot.

Nothing here does I/O. `execute` is a generator that yields what to send to which node, and gets
the replies. Threads (`connection.py`) and event loops (`loop_client.py`) run the same one.
"""

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeAlias, TypeVar

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

from chat.store.topology import Node, Topology, resolve

Arg: TypeAlias = str | bytes | int | float
Command: TypeAlias = Sequence[Arg]
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
    run = _execute_on_cluster if topology.is_cluster else _execute_on_server
    return run(requests, topology)


def _execute_on_server(
    requests: Sequence[Request], topology: Topology
) -> Exchange[list[list[Any]]]:
    """Execute requests on the only server."""
    (node,) = topology.masters
    commands = [command for request in requests for command in request.commands]
    tries = MAX_TRIES if commands else 0
    answer: Answer = []
    while tries:
        if not topology.is_available(node):
            raise TimeoutError("a request timed out a moment ago")
        answer = (yield Round({node: commands}, 0.0))[node]
        tries = tries - 1 if isinstance(answer, RedisError) else 0
    if isinstance(answer, RedisError):
        if isinstance(answer, TimeoutError):
            topology.begin_cooldown(node)
        raise answer
    replies = iter(answer)
    return [list(islice(replies, len(request.commands))) for request in requests]


def _execute_on_cluster(
    requests: Sequence[Request], topology: Topology
) -> Exchange[list[list[Any]]]:
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
                pending += _store_replies(group, answers[node], node, topology, results)
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
    groups: dict[Node, list[_Pending]] = defaultdict(list)
    for each in pending:
        key = each.request.key
        node = topology.node_of(key) if key else topology.any_master(each.tries)
        groups[each.asked or node].append(each)
    return groups


def _store_replies(
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
