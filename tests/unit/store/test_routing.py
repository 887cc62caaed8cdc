"""Which node gets which request, without a server."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,  # noqa: A004  # redis-py's
    MovedError,
    RedisError,
    TimeoutError,  # noqa: A004
    TryAgainError,
)

from chat.store.routing import (
    CLUSTER_SLOTS,
    MAX_ROUNDS,
    Command,
    Exchange,
    Request,
    execute,
    find_masters,
)
from chat.store.topology import SERVER, Node, Topology

A, B, C = ("10.0.0.1", 7000), ("10.0.0.2", 7000), ("10.0.0.3", 7000)
KEY_OF_A, KEY_OF_B = "chat:{1}:due", "chat:{0}:due"
SLOT_OF_A, SLOT_OF_B = key_slot(b"1"), key_slot(b"0")
SLOTS = [[0, 9999, [b"10.0.0.1", 7000, b"id"]], [10000, 16383, [b"10.0.0.2", 7000, b"id"]]]

Server = Callable[[Command], Any]


class Nodes:
    """Servers that reply by a function of the command, and what was sent to them."""

    def __init__(self, servers: Mapping[Node, Server]) -> None:
        self.servers = servers
        self.sent: list[tuple[Node, Sequence[Command]]] = []
        self.delays: list[float] = []

    def run(self, exchange: Exchange[Any]) -> Any:
        answers: Any = None
        try:
            while True:
                batches, delay = exchange.send(answers)
                self.delays.append(delay)
                self.sent += batches.items()
                answers = {node: self._answer(node, batch) for node, batch in batches.items()}
        except StopIteration as end:
            return end.value

    def _answer(self, node: Node, batch: Sequence[Command]) -> list[Any] | RedisError:
        replies = [self.servers[node](command) for command in batch]
        lost = (each for each in replies if isinstance(each, (ConnectionError, TimeoutError)))
        return next(lost, replies)

    def asked(self) -> list[Node]:
        """Return the nodes that got something else than a question for the slots."""
        return [node for node, batch in self.sent if CLUSTER_SLOTS not in batch]


def answer_with(reply: Any) -> Server:
    return lambda command: SLOTS if command == CLUSTER_SLOTS else reply


def answer_in_turn(*replies: Any) -> Server:
    left = list(replies)
    return lambda command: SLOTS if command == CLUSTER_SLOTS else left.pop(0)


def cluster() -> Topology:
    return Topology([A], is_cluster=True)


def get(key: str) -> Request:
    return Request.from_command("GET", key)


def test_keys_are_in_the_slots_that_the_tests_expect() -> None:
    assert SLOT_OF_A < 10000 <= SLOT_OF_B


def test_single_server_gets_all_requests_in_one_round() -> None:
    nodes = Nodes({SERVER: lambda command: command[1]})
    topology = Topology([SERVER], is_cluster=False)
    requests = [get(KEY_OF_A), get(KEY_OF_B)]
    assert nodes.run(execute(requests, topology)) == [[KEY_OF_A], [KEY_OF_B]]
    assert len(nodes.sent) == 1


def test_requests_go_to_the_node_of_their_slot_in_one_round() -> None:
    nodes = Nodes({A: answer_with("a"), B: answer_with("b")})
    requests = [get(KEY_OF_B), get(KEY_OF_A), get(KEY_OF_B), Request.from_command("PING")]
    topology = cluster()
    assert nodes.run(execute(requests, topology)) == [["b"], ["a"], ["b"], ["a"]]
    assert sorted(nodes.asked()) == [A, B]
    assert len(nodes.delays) == 2, "the map of slots, and one round"
    nodes.run(execute(requests, topology))
    assert len(nodes.delays) == 3, "the map is kept"


def test_ping_goes_to_another_node_if_the_first_is_dead() -> None:
    nodes = Nodes({A: answer_with(ConnectionError("refused")), B: answer_with("PONG")})
    topology = cluster()
    topology.update(SLOTS, A)
    assert nodes.run(execute([Request.from_command("PING")], topology)) == [["PONG"]]
    assert nodes.asked() == [A, B]


def test_moved_slot_is_remembered() -> None:
    moved = MovedError(f"{SLOT_OF_A} {C[0]}:{C[1]}")
    nodes = Nodes({A: answer_with(moved), B: answer_with("b"), C: answer_with("c")})
    topology = cluster()
    assert nodes.run(execute([get(KEY_OF_A)], topology)) == [["c"]]
    assert nodes.run(execute([get(KEY_OF_A)], topology)) == [["c"]]
    assert nodes.asked() == [A, C, C]
    assert nodes.run(find_masters(topology)) == (A, B, C)


def test_redirection_without_a_host_means_the_node_asked() -> None:
    nodes = Nodes({A: answer_with(MovedError(f"{SLOT_OF_A} :7001")), (A[0], 7001): answer_with(1)})
    assert nodes.run(execute([get(KEY_OF_A)], cluster())) == [[1]]


def test_asked_node_gets_asking_before_each_command() -> None:
    ask = AskError(f"{SLOT_OF_A} {C[0]}:{C[1]}")
    nodes = Nodes({A: answer_with(ask), C: lambda command: command[0]})
    request = Request((("EVALSHA", "sha", 1, KEY_OF_A), ("WAIT", 1, 100)), KEY_OF_A)
    topology = cluster()
    assert nodes.run(execute([request], topology)) == [["EVALSHA", "WAIT"]]
    sent = [command[0] for command in nodes.sent[-1][1]]
    assert sent == ["ASKING", "EVALSHA", "ASKING", "WAIT"]
    assert topology.node_of(KEY_OF_A) == A, "the slot has not moved yet"


def test_split_slot_is_tried_again_later() -> None:
    again = TryAgainError()
    nodes = Nodes({A: answer_in_turn(again, again, "done"), B: answer_with("b")})
    assert nodes.run(execute([get(KEY_OF_A), get(KEY_OF_B)], cluster())) == [["done"], ["b"]]
    assert nodes.asked() == [A, B, A, A], "the other request is not repeated"
    assert nodes.delays[-2:] == [0.005, 0.01]


def test_endless_redirections_end() -> None:
    moved = MovedError(f"{SLOT_OF_A} {A[0]}:{A[1]}")
    nodes = Nodes({A: answer_with(moved)})
    assert nodes.run(execute([get(KEY_OF_A)], cluster())) == [[moved]]
    assert len(nodes.asked()) == MAX_ROUNDS


def test_dead_node_fails_only_its_own_requests() -> None:
    dead = ConnectionError("refused")
    nodes = Nodes({A: answer_with("a"), B: answer_with(dead)})
    topology = cluster()
    assert nodes.run(execute([get(KEY_OF_A), get(KEY_OF_B)], topology)) == [["a"], [dead]]
    assert nodes.asked() == [A, B, B]
    with pytest.raises(ConnectionError, match="refused"):
        nodes.run(execute([get(KEY_OF_B)], topology))


def test_promoted_replica_gets_the_repeated_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.store.topology.REFRESH_INTERVAL", 0)
    after = [SLOTS[0], [10000, 16383, [b"10.0.0.3", 7000, b"id"]]]
    slots = iter([SLOTS, after])
    nodes = Nodes({
        A: lambda command: next(slots) if command == CLUSTER_SLOTS else "a",
        B: answer_with(ConnectionError("refused")),
        C: answer_with("c"),
    })  # fmt: skip
    assert nodes.run(execute([get(KEY_OF_B)], cluster())) == [["c"]]


def test_timeout_blocks_its_own_node_for_a_moment() -> None:
    nodes = Nodes({A: answer_with("a"), B: answer_with(TimeoutError("slow"))})
    topology = cluster()
    requests = [get(KEY_OF_A), get(KEY_OF_B)]
    for _ in range(3):
        replies = nodes.run(execute(requests, topology))
        assert replies[0] == ["a"]
        assert isinstance(replies[1][0], TimeoutError)
    assert nodes.asked().count(B) == 2, "tried twice, then not any more"
    topology.end_cooldowns()
    nodes.run(execute(requests, topology))
    assert nodes.asked().count(B) > 2


def test_down_cluster_is_reported_and_asked_again_for_its_slots() -> None:
    nodes = Nodes({A: answer_with(ClusterDownError("CLUSTERDOWN")), B: answer_with("b")})
    topology = cluster()
    (replies,) = nodes.run(execute([get(KEY_OF_A)], topology))
    assert isinstance(replies[0], ClusterDownError)
    assert topology.needs_refresh() or nodes.run(find_masters(topology)) == (A, B)


def test_second_seed_is_asked_when_the_first_is_dead() -> None:
    nodes = Nodes({C: answer_with(ConnectionError("dead")), A: answer_with("a")})
    topology = Topology([C, A], is_cluster=True)
    assert nodes.run(execute([get(KEY_OF_A)], topology)) == [["a"]]


def test_server_without_cluster_support_is_reported() -> None:
    error = RedisError("ERR This instance has cluster support disabled")
    nodes = Nodes({A: lambda _: error})
    with pytest.raises(RedisError, match="cluster support disabled"):
        nodes.run(execute([get(KEY_OF_A)], cluster()))


def test_known_map_outlives_a_failed_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.store.topology.REFRESH_INTERVAL", 0)
    slots = iter([SLOTS, RedisError("LOADING"), RedisError("LOADING")])
    nodes = Nodes({
        A: lambda command: next(slots) if command == CLUSTER_SLOTS else "a",
        B: answer_with(RedisError("no")),
    })  # fmt: skip
    topology = cluster()
    nodes.run(execute([get(KEY_OF_A)], topology))
    topology.mark_stale()
    nodes.servers = {**nodes.servers, B: lambda _: RedisError("LOADING")}
    assert nodes.run(execute([get(KEY_OF_A)], topology)) == [["a"]]
