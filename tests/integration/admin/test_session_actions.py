"""Actions of staff: effects, confirmation pages and log entries."""

import json
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from redis import Redis

from chat.admin import actions, querysets
from chat.conversation import sessions
from chat.conversation.messages import get_message, set_feedback
from chat.domain import Caller, Feedback, Rating, RecoveryResult
from chat.domain.errors import LeaseLost, SessionExpired, SessionNotFound
from chat.store import due
from tests.integration.admin.sessions import LIST, open_session, post_message, session_path
from tests.integration.api import fake_worker
from tests.integration.transcripts import finetuning_format


def run(client: Client, session_id: str, action: str, *, confirmed: bool = True) -> str:
    """Run an action; return the page that follows."""
    form = {"session_action": action} | ({"confirmed": "yes"} if confirmed else {})
    return client.post(session_path(session_id, "action"), form, follow=True).content.decode()


def log_entries() -> list[tuple[str | None, str]]:
    return [(each.object_id, each.change_message) for each in LogEntry.objects.order_by("pk")]


def status_of(session_id: str, message_id: str) -> str:
    message = get_message(Caller.internal(session_id), message_id)
    return str(json.loads(message)["status"])


def test_running_reply_is_cancelled_by_its_worker(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    claim = fake_worker.claim_turn(session_id)
    run(admin, session_id, "cancel msg_2")
    assert fake_worker.append_text(claim, "some text") is True
    for action in ("cancel msg_2", "cancel"):
        assert "Nothing to cancel" in run(admin, session_id, action)
    assert log_entries() == [(session_id, "Requested cancellation of msg_2.")]


def test_finished_reply_is_not_cancelled(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    fake_worker.complete_turn(session_id, "an answer")
    assert "Nothing to cancel: msg_2 has ended." in run(admin, session_id, "cancel msg_2")
    assert log_entries() == []


def test_all_open_turns_are_cancelled(admin: Client) -> None:
    session_id = open_session()
    for _ in range(3):
        post_message(session_id)
    assert "Cancelled 3 queued turns." in run(admin, session_id, "cancel")
    assert [status_of(session_id, f"msg_{n}") for n in (2, 4, 6)] == ["cancelled"] * 3
    assert "Nothing to cancel." in run(admin, session_id, "cancel")
    assert log_entries() == [(session_id, "Cancelled 3 queued turns.")]


def test_running_turn_is_cancelled_with_the_queued_ones(admin: Client) -> None:
    session_id = open_session()
    for _ in range(2):
        post_message(session_id)
    fake_worker.claim_turn(session_id)
    run(admin, session_id, "cancel")
    assert log_entries() == [
        (session_id, "Cancelled 1 queued turn. Requested cancellation of the running turn.")
    ]


def test_requeue_takes_the_turn_from_its_worker(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    stuck = fake_worker.claim_turn(session_id)
    assert "are you sure" in run(admin, session_id, "requeue", confirmed=False)
    assert status_of(session_id, "msg_2") == "in_progress"
    run(admin, session_id, "requeue")
    fake_worker.complete_turn(session_id, "the answer of another worker")
    with pytest.raises(LeaseLost):
        fake_worker.finish_turn(stuck, "too late")
    assert status_of(session_id, "msg_2") == "completed"
    assert log_entries() == [(session_id, "Requeued the next turn.")]
    assert "Nothing to requeue" in run(admin, session_id, "requeue")
    assert log_entries() == [(session_id, "Requeued the next turn.")]


def test_requeue_cancels_a_turn_that_is_being_cancelled(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    fake_worker.claim_turn(session_id)
    run(admin, session_id, "cancel")
    run(admin, session_id, "requeue")
    assert status_of(session_id, "msg_2") == "cancelled"
    assert [message for _, message in log_entries()] == [
        "Requested cancellation of the running turn.",
        "Cancelled the running turn, as requested earlier.",
    ]


def test_next_sweep_removes_an_expired_session(admin: Client, redis: Redis) -> None:
    session_id = open_session()
    post_message(session_id)
    claim = fake_worker.claim_turn(session_id)
    post_message(session_id, "another one")
    assert "are you sure" in run(admin, session_id, "expire", confirmed=False)
    assert "Expired." in (html := run(admin, session_id, "expire"))
    assert "deleted?" not in html
    with pytest.raises(SessionExpired):
        sessions.read(Caller.internal(session_id))
    assert "exist" in admin.get(session_path(session_id), follow=True).content.decode()
    with pytest.raises(LeaseLost):
        fake_worker.finish_turn(claim, "too late")
    assert due.recover(due.claim_due(), grace=1) == [RecoveryResult.EXPIRED]
    assert not list(redis.scan_iter(f"*{session_id}*"))
    assert log_entries() == [(session_id, "Expired.")]


def test_delete_asks_for_confirmation_and_leaves_no_key(admin: Client, redis: Redis) -> None:
    session_id = open_session("a name")
    assert "Are you sure" in admin.get(session_path(session_id, "delete")).content.decode()
    admin.post(session_path(session_id, "delete"), {"post": "yes"})
    with pytest.raises(SessionNotFound):
        sessions.read(Caller.internal(session_id))
    assert not list(redis.scan_iter(f"*{session_id}*"))
    (entry,) = LogEntry.objects.all()
    assert (entry.object_id, entry.is_deletion()) == (session_id, True)


def test_selected_sessions_are_deleted(admin: Client) -> None:
    selected = [open_session(), open_session()]
    kept = open_session()
    form = {"action": "delete_selected", "_selected_action": selected}
    assert "Are you sure" in admin.post(LIST, form).content.decode()
    sessions.read(Caller.internal(selected[0]))
    admin.post(LIST, form | {"post": "yes"})
    for session_id in selected:
        with pytest.raises(SessionNotFound):
            sessions.read(Caller.internal(session_id))
    sessions.read(Caller.internal(kept))
    assert {each.object_id for each in LogEntry.objects.all()} == set(selected)


def test_selected_sessions_are_expired_after_confirmation(admin: Client) -> None:
    selected = [open_session(), open_session()]
    form = {"action": "expire", "_selected_action": selected}
    assert "are you sure" in admin.post(LIST, form).content.decode()
    admin.post(LIST, form | {"confirmed": "yes"})
    for session_id in selected:
        with pytest.raises(SessionExpired):
            sessions.read(Caller.internal(session_id))


@pytest.mark.thorough
def test_results_for_many_sessions_are_counted_in_one_message(admin: Client) -> None:
    selected = [open_session() for _ in range(querysets.MAX_OBJECTS)]
    form = {"action": "expire", "_selected_action": selected[:1], "select_across": "1"}
    confirmation = admin.post(LIST, form).content.decode()
    ids = re.findall('name="_selected_action" value="(ses_[0-9a-f]+)"', confirmation)
    assert sorted(ids) == sorted(selected)
    form = {"action": "expire", "_selected_action": ids, "confirmed": "yes"}
    html = admin.post(LIST, form, follow=True).content.decode()
    assert "1,000 sessions: Expired." in html
    assert LogEntry.objects.count() == querysets.MAX_OBJECTS


def test_redacted_text_is_nowhere_in_redis(admin: Client, redis: Redis) -> None:
    session_id = open_session()
    post_message(session_id, 'my number is 4711","id":"msg_9')
    fake_worker.complete_turn(session_id, "so it is 4711")
    seq = sessions.read(Caller.internal(session_id)).seq
    for message_id in ("msg_1", "msg_2"):
        run(admin, session_id, f"redact {message_id}")
    assert not [key for key in redis.scan_iter() if b"4711" in (redis.dump(key) or b"")]
    found = sessions.read(Caller.internal(session_id), after=seq)
    changed = [json.loads(message) for message in found.messages]
    assert [(each["id"], each["content"]) for each in changed] == [
        ("msg_1", "[redacted]"),
        ("msg_2", "[redacted]"),
    ]
    assert log_entries() == [(session_id, "Redacted msg_1."), (session_id, "Redacted msg_2.")]


def test_redact_again_clears_newer_events(admin: Client, redis: Redis) -> None:
    session_id = open_session()
    post_message(session_id)
    fake_worker.complete_turn(session_id, "an answer")
    run(admin, session_id, "redact msg_2")
    assert "Nothing to redact" in run(admin, session_id, "redact msg_2")
    assert len(log_entries()) == 1
    caller = Caller.internal(session_id)
    set_feedback(caller, "msg_2", Feedback(rating=Rating.UP, comment="4711"))
    set_feedback(caller, "msg_2", None)
    assert "Redacted msg_2." in run(admin, session_id, "redact msg_2")
    assert not [key for key in redis.scan_iter() if b"4711" in (redis.dump(key) or b"")]


def test_redaction_creates_a_gap_for_subscribers(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id, "4711")
    caller = Caller.internal(session_id)
    seen = sessions.read(caller).seq
    run(admin, session_id, "redact msg_1")
    page = sessions.events(caller, after=seen)
    assert page.earliest > seen + 1  # a gap, which subscribers fill with a snapshot


def test_open_reply_cannot_be_redacted(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    assert "cancel it first" in run(admin, session_id, "redact msg_2")
    assert log_entries() == []


def test_export_contains_complete_sessions(admin: Client) -> None:
    session_id = open_session("a name", system_prompt="be brief")
    for n in range(3):
        post_message(session_id, f"question {n}")
        fake_worker.complete_turn(session_id, f"answer \u2028{n}")
    empty = open_session()
    form = {"action": "export", "_selected_action": [session_id, empty]}
    response = admin.post(LIST, form)
    assert response["Content-Type"] == "application/x-ndjson"
    lines = {each["id"]: each for each in map(json.loads, response.text.splitlines())}
    assert lines[session_id]["system_prompt"] == "be brief"
    contents = [message["content"] for message in lines[session_id]["messages"]]
    assert contents[:3] == ["question 0", "answer \u20280", "question 1"]
    assert len(contents) == 6
    assert lines[empty]["messages"] == []
    assert {message for _, message in log_entries()} == {"Exported."}


def test_too_large_export_is_rejected(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MAX_EXPORT_BYTES", 100)
    form = {"action": "export", "_selected_action": [open_session()]}
    assert "The export is larger than" in admin.post(LIST, form, follow=True).content.decode()
    assert log_entries() == []


def test_missing_session_is_reported(admin: Client) -> None:
    session_id = open_session()
    sessions.delete(Caller.internal(session_id))
    assert "exist" in admin.get(session_path(session_id), follow=True).content.decode()
    assert admin.get(session_path(session_id, "live")).json() == {"is_gone": True}
    for action in ("cancel", "expire", "export"):
        assert "exist" in run(admin, session_id, action)
    assert log_entries() == []


def test_completed_turns_are_exported_for_fine_tuning(admin: Client) -> None:
    session_id, empty = open_session(system_prompt="be brief"), open_session()
    post_message(session_id)
    fake_worker.complete_turn(session_id, "an answer")
    post_message(session_id, "an open one")
    form = {"action": "export_turns", "_selected_action": [session_id, empty]}
    response = admin.post(LIST, form)
    assert response["Content-Type"] == "application/x-ndjson"
    (line,) = map(json.loads, response.content.splitlines())
    finetuning_format.validate(line)
    assert [message["content"] for message in line["messages"]] == [
        *("be brief", "a question", "an answer")
    ]
    assert log_entries() == [(session_id, "Exported.")]  # not of the empty one
