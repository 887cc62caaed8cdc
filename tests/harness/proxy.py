"""A TCP proxy on loopback that delays, holds, cuts and loses what passes through it."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit, urlunsplit

BLOCK = 65536
"""Bytes read at once; what tests look for in a block is far smaller and comes in one piece."""

Watch = Callable[["Link", bytes], bool]
"""Sees each block of a client before it is passed on; true forgets the block."""


@dataclass(slots=True, eq=False)
class Link:
    """A client's connection, and the one to the server that was made for it."""

    client: socket.socket
    server: socket.socket
    flowing: threading.Event = field(default_factory=threading.Event)
    """Not set while blocks have to wait, in both directions."""
    is_dead: bool = False
    """Whether everything is swallowed, even that one side has left."""
    loses_answers: bool = False
    """Whether the server's next block cuts the link instead of reaching the client."""

    def close(self) -> None:
        """End both connections; what is held is lost, and the threads that read them notice."""
        for side in (self.client, self.server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        self.flowing.set()


class Proxy:
    """Passes connections on to the server that `url` names, until it is told otherwise."""

    def __init__(self, url: str) -> None:
        """Listen at once; the server may come up later."""
        parts = urlsplit(url)
        self._target = (str(parts.hostname), int(parts.port or 0))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = self._listener.getsockname()
        place = parts.netloc.rpartition("@")
        self.url = urlunsplit(parts._replace(netloc=f"{place[0]}{place[1]}{self._place()}"))
        """The same URL, by way of the proxy."""
        self.delay = 0.0
        """Seconds that each block waits."""
        self.tripped = threading.Event()
        """Set once a block has met what `hold_at` or `lose_answer_to` waits for."""
        self._links: set[Link] = set()
        self._is_holding = False
        self._watch: Watch | None = None
        self._closing = threading.Event()
        self._accept()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()

    def hold(self) -> None:
        """Let nothing pass from now on, in links old and new, as when a network loses packets."""
        self._is_holding = True
        for link in self._links.copy():
            link.flowing.clear()

    def flow(self) -> None:
        """Let everything pass again, what was held first."""
        self._is_holding = False
        for link in self._links.copy():
            link.flowing.set()

    def half_open(self) -> int:
        """Let the links that stand die without a word, each side believing that the other lives.

        New ones work. Returns how many died.
        """
        dying = self._links.copy()
        for link in dying:
            link.is_dead = True
        return len(dying)

    def cut(self) -> None:
        """Close all links; new ones work."""
        for link in self._links.copy():
            link.close()

    def refuse(self) -> None:
        """Close all links and refuse new ones."""
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def listen(self) -> None:
        """Take connections again after `refuse`."""
        self._listener = socket.create_server(self._address)
        self._accept()

    def hold_at(self, marker: str) -> None:
        """Hold the first link on which a client sends `marker`; the server never sees it."""

        def watch(link: Link, block: bytes) -> bool:
            if marker.encode() not in block:
                return False
            link.flowing.clear()
            self._trip()
            return False

        self._arm(watch)

    def lose_answer_to(self, marker: str, *, times: int = 1) -> None:
        """Pass on the first blocks that contain `marker`, but cut their links before an answer."""
        left = iter(range(times - 1, -1, -1))

        def watch(link: Link, block: bytes) -> bool:
            if marker.encode() in block:
                link.loses_answers = True
                if next(left) == 0:
                    self._watch = None
            return False

        self._arm(watch)

    def hold_answer_to(self, marker: str) -> None:
        """Pass on the first block that contains `marker`; from then on the client hears nothing."""

        def watch(link: Link, block: bytes) -> bool:
            if marker.encode() not in block:
                return False
            link.flowing.clear()
            link.server.sendall(block)
            self._trip()
            return True

        self._arm(watch)

    def _arm(self, watch: Watch) -> None:
        self.tripped.clear()
        self._watch = watch

    def _trip(self) -> None:
        self._watch = None
        self.tripped.set()

    def _place(self) -> str:
        host, port = self._address
        return f"{host}:{port}"

    def _accept(self) -> None:
        self._closing.clear()
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._link(client)

    def _link(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, timeout=1)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(client, server)
        if not self._is_holding:
            link.flowing.set()
        self._links.add(link)
        threading.Thread(target=self._live, args=(link,), daemon=True).start()

    def _live(self, link: Link) -> None:
        """Pass blocks both ways until either side leaves."""
        back = threading.Thread(target=self._carry_back, args=(link,), daemon=True)
        back.start()
        self._carry_on(link)
        back.join()
        self._links.discard(link)
        link.client.close()
        link.server.close()

    def _carry_on(self, link: Link) -> None:
        with suppress(OSError):
            while block := link.client.recv(BLOCK):
                watch = self._watch
                if watch is not None and watch(link, block):
                    continue
                self._wait(link)
                if not link.is_dead:
                    link.server.sendall(block)
        self._leave(link)

    def _carry_back(self, link: Link) -> None:
        with suppress(OSError):
            while block := link.server.recv(BLOCK):
                self._wait(link)
                if link.loses_answers:
                    self.tripped.set()
                    break
                if not link.is_dead:
                    link.client.sendall(block)
        self._leave(link)

    def _wait(self, link: Link) -> None:
        if self.delay:
            self._closing.wait(self.delay)
        link.flowing.wait()

    def _leave(self, link: Link) -> None:
        """Tell the other side that this one has left, unless nobody may know."""
        if not link.is_dead:
            link.close()
