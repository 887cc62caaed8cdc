"""The servers and their slots, as a process knows them."""

from collections.abc import Sequence
from time import monotonic
from typing import Any, TypeAlias

from redis.crc import key_slot

# Host and port.
Node: TypeAlias = tuple[str, int]
# The only server of a deployment without a Cluster, wherever `REDIS_URL` says that it is.
SERVER: Node = ("", 0)
# Seconds between two refreshes of the map of slots, however many requests fail.
REFRESH_INTERVAL = 0.25
# Seconds for which requests to a node fail at once after one has timed out. Otherwise the threads
# of a process would time out one after the other: measured, 50 clients of 8 threads waited up to
# ten seconds.
COOLDOWN = 0.5


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
        # To a slot without a node, any node replies CLUSTERDOWN.
        return self._node_by_slot.get(key_slot(key.encode()), self.masters[0])

    def any_master(self, tries: int) -> Node:
        """Return the node for a command without a key: another one after each failed try."""
        nodes = [node for node in self.masters if self.is_available(node)] or self.masters
        return nodes[tries % len(nodes)]

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
        """Apply a node's reply to `CLUSTER SLOTS`."""
        self._node_by_slot = {
            slot: resolve(master[0], master[1], asked)
            for first, last, master, *_ in slots
            for slot in range(first, last + 1)
        }
        self._find_masters()

    def move(self, slot: int, node: Node) -> None:
        """Apply a redirection. A slot seldom moves alone, so the map is refreshed, too."""
        self._node_by_slot[slot] = node
        self._find_masters()
        self._is_stale = True

    def _find_masters(self) -> None:
        self.masters = tuple(sorted(set(self._node_by_slot.values())))


def resolve(host: bytes | str | None, port: int, asked: Node) -> Node:
    """Return the node that another one names; without a host, it has that of the node asked."""
    name = host.decode() if isinstance(host, bytes) else host
    return (asked[0] if name in {None, "", "?"} else str(name), port)
