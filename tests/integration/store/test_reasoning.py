"""Reasoning: kept as items of a reply, and nowhere else."""

import pytest
from redis import Redis

from chat.domain import Caller, Delta, Status
from chat.store import admin, keys, leases, sessions
from chat.store.message_json import escape_reasoning
from tests.integration.store import steps
from tests.integration.store.steps import LeaseHolder
from tests.integration.store.test_text import AWKWARD


def items(caller: Caller, reply_id: str = "msg_2") -> list[tuple[str, str]] | None:
    found = steps.find_message(caller, reply_id).get("items")
    return found and [(item["type"], item["text"]) for item in found]


def deltas(caller: Caller) -> list[tuple[str, str]]:
    found = (event for event in steps.events(caller) if "delta" in event)
    return [(event["type"], event["delta"]) for event in found]


def size(redis: Redis, caller: Caller) -> int:
    """Return the bytes of the session that count towards its limit."""
    return int(redis.hget(keys.for_session(caller.session_id).session, "bytes") or 0)


def test_items_are_in_the_order_of_arrival(caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    for text in ("Let me ", "think."):
        writer.reason(text)
    expected = [("reasoning", "Let me think.")]
    assert items(caller) == expected
    writer.append("Well, ")
    writer.reason("Hm.")
    assert items(caller) == [*expected, ("text", "Well, "), ("reasoning", "Hm.")]
    assert steps.find_message(caller, "msg_2")["content"] == "Well, "
    writer.finish("yes.")
    expected += [("text", "Well, "), ("reasoning", "Hm."), ("text", "yes.")]
    assert items(caller) == expected
    assert steps.find_message(caller, "msg_2")["content"] == "Well, yes."
    assert deltas(caller) == [
        ("message.reasoning", "Let me "),
        ("message.reasoning", "think."),
        ("message.delta", "Well, "),
        ("message.reasoning", "Hm."),
        ("message.delta", "yes."),
    ]
    page = sessions.page(caller, cursor=None, newer=True, limit=9)
    assert page.messages[:2] == [sessions.message(caller, number) for number in (1, 2)]


def test_one_flush_has_text_and_reasoning(caller: Caller) -> None:
    """A flush that is sent again skips what is stored."""
    lease = LeaseHolder.claim_for(caller).lease
    first = escape_reasoning("a") + escape_reasoning("b")
    leases.flush([(lease, Delta(offset=0, escaped=first))])
    more = first + b"text" + escape_reasoning("c") + b"end"
    leases.flush([(lease, Delta(offset=0, escaped=more))])
    assert deltas(caller) == [
        ("message.reasoning", "ab"),
        ("message.delta", "text"),
        ("message.reasoning", "c"),
        ("message.delta", "end"),
    ]
    assert items(caller) == [
        ("reasoning", "ab"),
        ("text", "text"),
        ("reasoning", "c"),
        ("text", "end"),
    ]


@pytest.mark.parametrize("text", [each for each in AWKWARD if each], ids=range(len(AWKWARD) - 1))
def test_any_reasoning_is_kept_unchanged(text: str) -> None:
    caller = steps.create_session()
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    writer.reason(text)
    writer.finish(text)
    assert items(caller) == [("reasoning", text), ("text", text)]


def test_reasoning_is_no_part_of_content_prompts_and_events_of_the_end(caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    writer.reason("secret")
    writer.finish("hi")
    assert steps.find_message(caller, "msg_2")["content"] == "hi"
    claimed = steps.claim(caller)
    assert claimed is not None
    assert [message.content for message in claimed.history] == ["one", "hi", "two"]
    ended = next(each for each in steps.events(caller) if each["type"] == "message.completed")
    assert "items" not in ended["message"]


def test_retry_drops_reasoning(caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    writer.reason("first")
    writer.retry()
    assert items(caller) is None
    writer = LeaseHolder.claim_for(caller)
    writer.reason("second")
    writer.finish("hi")
    assert items(caller) == [("reasoning", "second"), ("text", "hi")]


def test_reasoning_alone_is_no_text(caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    writer.reason("hm")
    writer.finish(status=Status.FAILED)
    assert steps.find_message(caller, "msg_2")["content"] == ""
    assert items(caller) == [("reasoning", "hm")]


def test_feedback_keeps_items(caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    writer.reason("hm")
    writer.finish("hi")
    before = items(caller)
    rated = sessions.set_feedback(caller, 2, b'{"rating":"up","comment":""}')
    assert b'"text":"hm"' in rated
    assert items(caller) == before


def test_redaction_erases_reasoning(caller: Caller, redis: Redis) -> None:
    writer = LeaseHolder.claim_for(caller)
    writer.reason("secret 4711")
    writer.finish("hi, all of you")
    before = size(redis, caller)
    assert admin.redact(caller, 2, b"[redacted]")
    assert items(caller) is None
    assert not [key for key in redis.scan_iter() if b"4711" in (redis.dump(key) or b"")]
    assert size(redis, caller) < before
