"""What tests of the admin need to have happened."""

from typing import Any

from django.contrib.admin.utils import quote
from django.test import Client
from redis import Connection, Redis

from chat.conversation import sessions, turns
from chat.domain import Caller
from chat.store.client import client as store_client

LIST = "/admin/chat/session/"


def opened(name: str = "", **fields: str) -> str:
    """Open a session; return its id."""
    _, snapshot = sessions.open_session(name=name, **fields)  # type: ignore[arg-type]
    return snapshot.id


def asked(session_id: str, content: str) -> None:
    """Post a message."""
    turns.submit(caller=Caller(session_id=session_id), content=content)


def page(session_id: str, place: str = "change") -> str:
    """Return the path of a session's page."""
    return f"{LIST}{quote(session_id)}/{place}/"


class Counting(Connection):
    """A connection that counts how often it is sent something."""

    trips = 0

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT002
        """Send, and count."""
        Counting.trips += 1
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]


def cost(client: Client, path: str) -> int:
    """Return the round trips that a page takes, its connection being there already."""
    pool = store_client().connection_pool
    pool.connection_class = Counting
    pool.disconnect()
    pool.reset()
    client.get(path)
    Counting.trips = 0
    assert client.get(path).status_code == 200
    return Counting.trips


def commands(redis: Redis, client: Client, path: str) -> int:
    """Return the commands that a page has Redis carry out, those within scripts among them."""

    def done() -> int:
        calls: Any = redis.info("commandstats")
        return sum(each["calls"] for each in calls.values())

    before = done()
    assert client.get(path).status_code == 200
    return done() - before - 1  # the first question after them
