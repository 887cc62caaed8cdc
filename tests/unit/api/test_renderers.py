import dataclasses
from typing import Any

import orjson
import pytest

from chat.api import renderers
from chat.domain import Accepted, Page, Snapshot

MESSAGE = (
    rb'{"seq":4,"status":"completed","content":"\"id\":\"msg_9\" %s","id":"msg_3","role":"user"}'
)
SESSION = Snapshot(
    id="ses_1",
    now=3.0,
    seq=4,
    running=False,
    waiting=0,
    created_at=1.0,
    last_active_at=2.5,
    expires_at=1795226921.057,
    has_more=True,
    name=b'"N \\"q\\""',
    model=b'"default"',
    system_prompt=b"null",
    context=b'{"messages":20,"tokens":0}',
    metadata=b'{"a":"100%"}',
    webhook_url=b"null",
    messages=[MESSAGE, MESSAGE],
)


def test_session_json_contains_stored_json() -> None:
    found = orjson.loads(renderers.render_session(SESSION))
    assert found["messages"] == [orjson.loads(MESSAGE)] * 2
    assert (found["name"], found["metadata"]) == ('N "q"', {"a": "100%"})
    assert (found["created_at"], found["expires_at"]) == (1.0, 1795226921.057)
    assert (found["seq"], found["has_more"], found["status"]) == (4, True, "idle")


@pytest.mark.parametrize(
    ("changes", "status", "seconds"),
    [
        ({}, "idle", renderers.POLL_INTERVAL_IDLE),
        ({"waiting": 1}, "busy", renderers.POLL_INTERVAL_QUEUED),
        ({"running": True, "waiting": 3}, "busy", renderers.POLL_INTERVAL_RUNNING),
    ],
)
def test_next_poll_depends_on_the_status(
    changes: dict[str, Any], status: str, seconds: float
) -> None:
    found = orjson.loads(renderers.render_session(dataclasses.replace(SESSION, **changes)))
    assert (found["status"], found["next_poll"]) == (status, seconds)


def test_new_session_json_has_a_token() -> None:
    found = orjson.loads(renderers.render_new_session("ses_1.secret", SESSION))
    assert found == orjson.loads(renderers.render_session(SESSION)) | {"token": "ses_1.secret"}


def test_message_id_is_not_taken_from_the_text() -> None:
    assert renderers.message_id(MESSAGE) == b"msg_3"


def test_page_contains_first_and_last_id() -> None:
    found = orjson.loads(renderers.render_page(Page(messages=[MESSAGE], has_more=False)))
    assert (found["first_id"], found["last_id"], found["has_more"]) == ("msg_3", "msg_3", False)
    empty = orjson.loads(renderers.render_page(Page(messages=[], has_more=False)))
    assert empty == {"data": [], "first_id": None, "last_id": None, "has_more": False}


def test_accepted_turn_contains_both_messages() -> None:
    turn = Accepted(message=b"null", reply=MESSAGE, queue_position=2, needs_wake=True)
    found = orjson.loads(renderers.render_accepted(turn))
    assert (found["message"], found["reply"]["id"], found["queue_position"]) == (None, "msg_3", 2)
