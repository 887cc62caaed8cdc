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
    is_running=False,
    queued_turns=0,
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
    body = orjson.loads(renderers.render_session(SESSION))
    assert body["messages"] == [orjson.loads(MESSAGE)] * 2
    assert (body["name"], body["metadata"]) == ('N "q"', {"a": "100%"})
    assert (body["created_at"], body["expires_at"]) == (1.0, 1795226921.057)
    assert (body["seq"], body["has_more"], body["status"]) == (4, True, "idle")


@pytest.mark.parametrize(
    ("changes", "status", "seconds"),
    [
        ({}, "idle", renderers.POLL_INTERVAL_IDLE),
        ({"queued_turns": 1}, "busy", renderers.POLL_INTERVAL_QUEUED),
        ({"is_running": True, "queued_turns": 3}, "busy", renderers.POLL_INTERVAL_RUNNING),
    ],
)
def test_next_poll_depends_on_the_status(
    changes: dict[str, Any], status: str, seconds: float
) -> None:
    body = orjson.loads(renderers.render_session(dataclasses.replace(SESSION, **changes)))
    assert (body["status"], body["next_poll"]) == (status, seconds)


def test_new_session_json_has_a_token() -> None:
    body = orjson.loads(renderers.render_new_session("ses_1.secret", SESSION))
    assert body == orjson.loads(renderers.render_session(SESSION)) | {"token": "ses_1.secret"}


def test_message_id_is_not_taken_from_the_text() -> None:
    assert renderers.message_id(MESSAGE) == b"msg_3"


def test_page_contains_first_and_last_id() -> None:
    body = orjson.loads(renderers.render_page(Page(messages=[MESSAGE], has_more=False)))
    assert (body["first_id"], body["last_id"], body["has_more"]) == ("msg_3", "msg_3", False)
    empty = orjson.loads(renderers.render_page(Page(messages=[], has_more=False)))
    assert empty == {"data": [], "first_id": None, "last_id": None, "has_more": False}


def test_accepted_turn_contains_both_messages() -> None:
    turn = Accepted(
        session_id="ses_1", message=b"null", reply=MESSAGE, queue_position=2, needs_wake=True
    )
    body = orjson.loads(renderers.render_accepted(turn))
    assert (body["message"], body["reply"]["id"], body["queue_position"]) == (None, "msg_3", 2)
