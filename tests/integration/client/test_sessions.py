"""Every operation on a session, against a running stack."""

import threading

import pytest

from parley_client import APIStatusError, Client, ReplyFailed
from tests.harness.wait import wait_until


def test_reply_arrives_in_deltas(client: Client) -> None:
    reply = client.open().send("hello [[tokens=100 rate=200]]")
    deltas = list(reply)
    assert len(deltas) > 3
    assert "".join(deltas) == reply.text == reply.message.content
    assert reply.text.startswith("echo: hello")
    assert (reply.message.status, reply.message.finish_reason) == ("completed", "stop")
    assert reply.message.usage is not None
    assert reply.message.usage.completion_tokens == 100


def test_history_yields_all_messages_across_pages(client: Client) -> None:
    session = client.open()
    for number in range(30):
        assert session.send(f"{number}").text == f"echo: {number}"
    history = list(session.history())
    assert [message.content for message in history[::2]] == [f"{n}" for n in range(30)]
    assert [message.content for message in history[1::2]] == [f"echo: {n}" for n in range(30)]
    assert list(session.history(newest_first=True)) == history[::-1]
    session.reset()
    assert list(session.history()) == []
    assert session.send("again").text == "echo: again"


def test_session_fields_can_be_set_and_updated(client: Client) -> None:
    (model,) = client.models()
    session = client.open(
        name="Ada", system_prompt="Be terse.", model=model.name, metadata={"a": 1}, ttl=600
    )
    assert (session.name, session.system_prompt, session.model) == ("Ada", "Be terse.", model.name)
    assert session.metadata == {"a": 1}
    history = session.send("hello [[history]]").text
    assert "Be terse." in history
    session.update(system_prompt=None, name="Grace")
    assert (session.name, session.system_prompt) == ("Grace", None)
    with pytest.raises(APIStatusError) as caught:
        session.update(model="none")
    assert (caught.value.code, caught.value.param) == ("unknown_model", "model")
    assert caught.value.request_id


def test_attached_session_reads_the_active_reply(client: Client) -> None:
    session = client.open(name="Ada")
    reply = session.send("hello [[tokens=300 rate=200]]")
    first = next(iter(reply))
    attached = client.attach(session.token)
    assert attached.name == "Ada"
    (same,) = attached.active_replies()
    assert same.id == reply.id
    assert same.text == reply.text
    assert same.text.startswith(first)
    assert attached.reply(reply.id).text == reply.text


def test_rotating_the_token_invalidates_the_old_one(client: Client) -> None:
    session = client.open()
    old = session.token
    assert session.rotate_token() != old
    session.refresh()
    with pytest.raises(APIStatusError):
        client.attach(old)
    session.delete()
    session.delete()
    with pytest.raises(APIStatusError):
        client.attach(session.token)


def test_reply_can_be_cancelled_while_it_is_read(client: Client) -> None:
    reply = client.open().send("hello [[tokens=1000 rate=50]]")
    deltas = iter(reply)
    text = str(next(deltas))
    threading.Thread(target=reply.cancel).start()
    text += "".join(deltas)
    assert reply.message.status == "cancelled"
    assert text == reply.text == reply.message.content
    assert reply.message.usage is not None
    assert reply.message.usage.source == "estimated"
    assert 0 < reply.message.usage.completion_tokens < 1000


def test_regenerate_returns_another_reply(client: Client) -> None:
    session = client.open()
    first = session.send("hello")
    assert first.text == "echo: hello"
    second = first.regenerate()
    assert second.text == "echo: hello"
    assert second.id != first.id
    assert [message.role for message in session.history()] == ["user", "assistant", "assistant"]


def test_failed_turn_raises_with_its_error_code(client: Client) -> None:
    session = client.open()
    reply = session.send("[[fault:400]]")
    with pytest.raises(ReplyFailed) as caught:
        list(reply)
    assert caught.value.code == "model_bad_request"
    assert caught.value.request_id == reply.request_id != ""
    assert session.send("and now?").text == "echo: and now?"


def test_queued_reply_has_a_wait_reason(client: Client) -> None:
    session = client.open()
    first = session.send("[[latency=0.5]]")
    second = session.send("hello", options={"max_tokens": 50}, deadline=60)
    assert second.message.wait is not None
    assert second.message.wait.position == 1
    with pytest.raises(APIStatusError, match="queued or running") as caught:
        session.send("no", on_busy="reject")
    assert caught.value.status == 409
    assert second.text == "echo: hello"
    assert wait_until(lambda: first.text == "echo: [[latency=0.5]]")


def test_rating_can_be_set_and_removed(client: Client) -> None:
    session = client.open()
    reply = session.send("hello")
    assert reply.text
    rated = session.rate(reply.id, "up", "just right")
    assert rated.feedback is not None
    assert (rated.feedback.rating, rated.feedback.comment) == ("up", "just right")
    assert session.rate(reply.id, None).feedback is None


def test_attach_or_open_replaces_a_deleted_session(client: Client) -> None:
    session = client.attach_or_open(None, name="Ada")
    assert client.attach_or_open(session.token, name="Grace").name == "Ada"
    session.delete()
    replacement = client.attach_or_open(session.token, name="Grace")
    assert (replacement.name, replacement.id == session.id) == ("Grace", False)
