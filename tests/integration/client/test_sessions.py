"""All that a client can do with a session, on a running Parley."""

import threading

import pytest

from parley_client import Client, Refusal, ReplyFailed
from tests.harness.waiting import wait_until


def test_a_reply_grows_while_it_is_read(client: Client) -> None:
    reply = client.open().send("hello [[tokens=100 rate=200]]")
    deltas = list(reply)
    assert len(deltas) > 3
    assert "".join(deltas) == reply.text == reply.message.content
    assert reply.text.startswith("echo: hello")
    assert (reply.message.status, reply.message.finish_reason) == ("completed", "stop")
    assert reply.message.usage is not None
    assert reply.message.usage.completion_tokens == 100


def test_the_history_tells_all_that_was_said_page_by_page(client: Client) -> None:
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


def test_a_session_is_opened_and_changed_as_one_wishes(client: Client) -> None:
    (model,) = client.models()
    session = client.open(
        name="Ada", system_prompt="Be terse.", model=model.name, metadata={"a": 1}, ttl=600
    )
    assert (session.name, session.system_prompt, session.model) == ("Ada", "Be terse.", model.name)
    assert session.metadata == {"a": 1}
    shown = session.send("hello [[history]]").text
    assert "Be terse." in shown
    session.change(system_prompt=None, name="Grace")
    assert (session.name, session.system_prompt) == ("Grace", None)
    with pytest.raises(Refusal) as caught:
        session.change(model="none")
    assert (caught.value.code, caught.value.param) == ("unknown_model", "model")
    assert caught.value.request_id


def test_a_session_is_resumed_by_its_token_with_what_is_being_written(client: Client) -> None:
    session = client.open(name="Ada")
    reply = session.send("hello [[tokens=300 rate=200]]")
    first = next(iter(reply))
    resumed = client.resume(session.token)
    assert resumed.name == "Ada"
    (same,) = resumed.open_replies()
    assert same.id == reply.id
    assert same.text == reply.text
    assert same.text.startswith(first)
    assert resumed.reply(reply.id).text == reply.text


def test_a_new_token_ends_the_old_one(client: Client) -> None:
    session = client.open()
    old = session.token
    assert session.renew_token() != old
    session.refresh()
    with pytest.raises(Refusal):
        client.resume(old)
    session.delete()
    session.delete()
    with pytest.raises(Refusal):
        client.resume(session.token)


def test_a_reply_is_cancelled_while_it_is_read(client: Client) -> None:
    reply = client.open().send("hello [[tokens=1000 rate=50]]")
    deltas = iter(reply)
    said = str(next(deltas))
    threading.Thread(target=reply.cancel).start()
    said += "".join(deltas)
    assert reply.message.status == "cancelled"
    assert said == reply.text == reply.message.content
    assert reply.message.usage is not None
    assert reply.message.usage.source == "estimated"
    assert 0 < reply.message.usage.completion_tokens < 1000


def test_another_reply_can_be_had(client: Client) -> None:
    session = client.open()
    first = session.send("hello")
    assert first.text == "echo: hello"
    second = first.regenerate()
    assert second.text == "echo: hello"
    assert second.id != first.id
    assert [message.role for message in session.history()] == ["user", "assistant", "assistant"]


def test_a_failed_turn_raises_what_went_wrong(client: Client) -> None:
    session = client.open()
    reply = session.send("[[fault:400]]")
    with pytest.raises(ReplyFailed) as caught:
        list(reply)
    assert caught.value.code == "model_refused"
    assert caught.value.request_id == reply.request_id != ""
    assert session.send("and now?").text == "echo: and now?"


def test_replies_that_wait_say_what_for(client: Client) -> None:
    session = client.open()
    first = session.send("[[latency=0.5]]")
    second = session.send("hello", options={"max_tokens": 50}, deadline=60)
    assert second.message.wait is not None
    assert second.message.wait.position == 1
    with pytest.raises(Refusal, match="queued or running") as caught:
        session.send("no", on_busy="reject")
    assert caught.value.status == 409
    assert second.text == "echo: hello"
    assert wait_until(lambda: first.text == "echo: [[latency=0.5]]")


def test_a_reply_is_rated_and_unrated(client: Client) -> None:
    session = client.open()
    reply = session.send("hello")
    assert reply.text
    rated = session.rate(reply.id, "up", "just right")
    assert rated.feedback is not None
    assert (rated.feedback.rating, rated.feedback.comment) == ("up", "just right")
    assert session.rate(reply.id, None).feedback is None


def test_a_token_that_opens_nothing_any_more_gives_way_to_a_new_session(client: Client) -> None:
    session = client.resume_or_open(None, name="Ada")
    assert client.resume_or_open(session.token, name="Grace").name == "Ada"
    session.delete()
    fresh = client.resume_or_open(session.token, name="Grace")
    assert (fresh.name, fresh.id == session.id) == ("Grace", False)
