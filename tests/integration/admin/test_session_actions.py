"""What staff do comes true, is asked about where something is lost, and is written to the log."""

import json
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from redis import Redis

from chat.admin import querysets
from chat.conversation import sessions
from chat.conversation.messages import get_message, set_feedback
from chat.domain import Caller, Feedback, Rating, RecoveryResult
from chat.domain.errors import LeaseLost, SessionExpired, SessionNotFound
from chat.store import due
from tests.integration.admin.scene import LIST, asked, opened, page
from tests.integration.api import fake_worker
from tests.integration.transcripts import rules


def do(client: Client, session_id: str, act: str, *, confirmed: bool = True) -> str:
    told = {"session_action": act} | ({"confirmed": "yes"} if confirmed else {})
    return client.post(page(session_id, "action"), told, follow=True).content.decode()


def log() -> list[tuple[str | None, str]]:
    return [(each.object_id, each.change_message) for each in LogEntry.objects.order_by("pk")]


def status_of(session_id: str, message_id: str) -> str:
    message = get_message(Caller(session_id=session_id), message_id)
    return str(json.loads(message)["status"])


def test_a_running_reply_is_cancelled_by_a_mark(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "a question")
    claim = fake_worker.claim_turn(session_id)
    do(admin, session_id, "cancel msg_2")
    assert fake_worker.append_text(claim, "some text") is True
    for act in ("cancel msg_2", "cancel"):
        assert "Nothing to cancel" in do(admin, session_id, act)
    assert log() == [(session_id, "Requested cancellation of msg_2.")]


def test_what_has_ended_is_not_cancelled(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "a question")
    fake_worker.complete_turn(session_id, "an answer")
    assert "Nothing to cancel: msg_2 has ended." in do(admin, session_id, "cancel msg_2")
    assert log() == []


def test_all_open_turns_are_cancelled(admin: Client) -> None:
    session_id = opened()
    for _ in range(3):
        asked(session_id, "a question")
    assert "Cancelled 3 queued turns." in do(admin, session_id, "cancel")
    assert [status_of(session_id, f"msg_{n}") for n in (2, 4, 6)] == ["cancelled"] * 3
    assert "Nothing to cancel." in do(admin, session_id, "cancel")
    assert log() == [(session_id, "Cancelled 3 queued turns.")]


def test_a_running_turn_is_cancelled_with_those_that_wait(admin: Client) -> None:
    session_id = opened()
    for _ in range(2):
        asked(session_id, "a question")
    fake_worker.claim_turn(session_id)
    do(admin, session_id, "cancel")
    assert log() == [
        (session_id, "Cancelled 1 queued turn. Requested cancellation of the running turn.")
    ]


def test_requeueing_takes_a_turn_from_its_worker(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "a question")
    stuck = fake_worker.claim_turn(session_id)
    assert "are you sure" in do(admin, session_id, "requeue", confirmed=False)
    assert status_of(session_id, "msg_2") == "in_progress"
    do(admin, session_id, "requeue")
    fake_worker.complete_turn(session_id, "the answer of another worker")
    with pytest.raises(LeaseLost):
        fake_worker.finish_turn(stuck, "too late")
    assert status_of(session_id, "msg_2") == "completed"
    assert log() == [(session_id, "Requeued the next turn.")]
    assert "Nothing to requeue" in do(admin, session_id, "requeue")
    assert log() == [(session_id, "Requeued the next turn.")]


def test_a_turn_marked_to_be_cancelled_is_not_begun_anew(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "a question")
    fake_worker.claim_turn(session_id)
    do(admin, session_id, "cancel")
    do(admin, session_id, "requeue")
    assert status_of(session_id, "msg_2") == "cancelled"
    assert [told for _, told in log()] == [
        "Requested cancellation of the running turn.",
        "Cancelled the running turn, as requested earlier.",
    ]


def test_an_expired_session_ends_with_the_next_sweep(admin: Client, redis: Redis) -> None:
    session_id = opened()
    asked(session_id, "a question")
    claim = fake_worker.claim_turn(session_id)
    asked(session_id, "another one")
    assert "are you sure" in do(admin, session_id, "expire", confirmed=False)
    assert "Expired." in (shown := do(admin, session_id, "expire"))
    assert "deleted?" not in shown
    with pytest.raises(SessionExpired):
        sessions.read(Caller(session_id=session_id))
    assert "exist" in admin.get(page(session_id), follow=True).content.decode()
    with pytest.raises(LeaseLost):
        fake_worker.finish_turn(claim, "too late")
    assert due.recover(due.claim_due(), grace=1) == [RecoveryResult.EXPIRED]
    assert not list(redis.scan_iter(f"*{session_id}*"))
    assert log() == [(session_id, "Expired.")]


def test_deleting_asks_first_and_leaves_no_key(admin: Client, redis: Redis) -> None:
    session_id = opened("a name")
    assert "Are you sure" in admin.get(page(session_id, "delete")).content.decode()
    admin.post(page(session_id, "delete"), {"post": "yes"})
    with pytest.raises(SessionNotFound):
        sessions.read(Caller(session_id=session_id))
    assert not list(redis.scan_iter(f"*{session_id}*"))
    (entry,) = LogEntry.objects.all()
    assert (entry.object_id, entry.is_deletion()) == (session_id, True)


def test_many_are_deleted_from_the_list(admin: Client) -> None:
    chosen = [opened(), opened()]
    kept = opened()
    told = {"action": "delete_selected", "_selected_action": chosen}
    assert "Are you sure" in admin.post(LIST, told).content.decode()
    sessions.read(Caller(session_id=chosen[0]))
    admin.post(LIST, told | {"post": "yes"})
    for session_id in chosen:
        with pytest.raises(SessionNotFound):
            sessions.read(Caller(session_id=session_id))
    sessions.read(Caller(session_id=kept))
    assert {each.object_id for each in LogEntry.objects.all()} == set(chosen)


def test_many_are_expired_from_the_list_after_a_question(admin: Client) -> None:
    chosen = [opened(), opened()]
    told = {"action": "expire", "_selected_action": chosen}
    assert "are you sure" in admin.post(LIST, told).content.decode()
    admin.post(LIST, told | {"confirmed": "yes"})
    for session_id in chosen:
        with pytest.raises(SessionExpired):
            sessions.read(Caller(session_id=session_id))


def test_a_thousand_are_expired_after_a_question_and_told_in_a_line(admin: Client) -> None:
    chosen = [opened() for _ in range(querysets.MAX_OBJECTS)]
    told = {"action": "expire", "_selected_action": chosen[:1], "select_across": "1"}
    asked_back = admin.post(LIST, told).content.decode()
    sent_back = re.findall('name="_selected_action" value="(ses_[0-9a-f]+)"', asked_back)
    assert sorted(sent_back) == sorted(chosen)
    told = {"action": "expire", "_selected_action": sent_back, "confirmed": "yes"}
    shown = admin.post(LIST, told, follow=True).content.decode()
    assert "1,000 sessions: Expired." in shown
    assert LogEntry.objects.count() == querysets.MAX_OBJECTS


def test_a_redacted_text_is_nowhere_in_redis(admin: Client, redis: Redis) -> None:
    session_id = opened()
    asked(session_id, 'my number is 4711","id":"msg_9')
    fake_worker.complete_turn(session_id, "so it is 4711")
    seq = sessions.read(Caller(session_id=session_id)).seq
    for message_id in ("msg_1", "msg_2"):
        do(admin, session_id, f"redact {message_id}")
    assert not [key for key in redis.scan_iter() if b"4711" in (redis.dump(key) or b"")]
    found = sessions.read(Caller(session_id=session_id), after=seq)
    told = [json.loads(message) for message in found.messages]
    assert [(each["id"], each["content"]) for each in told] == [
        ("msg_1", "[redacted]"),
        ("msg_2", "[redacted]"),
    ]
    assert log() == [(session_id, "Redacted msg_1."), (session_id, "Redacted msg_2.")]


def test_what_is_redacted_is_redacted_again_only_if_the_log_repeats_any_of_it(
    admin: Client, redis: Redis
) -> None:
    session_id = opened()
    asked(session_id, "a question")
    fake_worker.complete_turn(session_id, "an answer")
    do(admin, session_id, "redact msg_2")
    assert "Nothing to redact" in do(admin, session_id, "redact msg_2")
    assert len(log()) == 1
    caller = Caller(session_id=session_id)
    set_feedback(caller, "msg_2", Feedback(rating=Rating.UP, comment="4711"))
    set_feedback(caller, "msg_2", None)
    assert "Redacted msg_2." in do(admin, session_id, "redact msg_2")
    assert not [key for key in redis.scan_iter() if b"4711" in (redis.dump(key) or b"")]


def test_a_follower_that_knows_all_so_far_is_told_of_a_redaction(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "4711")
    caller = Caller(session_id=session_id)
    seen = sessions.read(caller).seq
    do(admin, session_id, "redact msg_1")
    page = sessions.events(caller, after=seen)
    assert page.earliest > seen + 1  # a gap, in whose place a follower gets the session


def test_an_open_reply_cannot_be_redacted(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "a question")
    assert "cancel it first" in do(admin, session_id, "redact msg_2")
    assert log() == []


def test_an_export_holds_whole_sessions(admin: Client) -> None:
    session_id = opened("a name", system_prompt="be brief")
    for n in range(3):
        asked(session_id, f"question {n}")
        fake_worker.complete_turn(session_id, f"answer {n}")
    empty = opened()
    told = {"action": "export", "_selected_action": [session_id, empty]}
    answer = admin.post(LIST, told)
    assert answer["Content-Type"] == "application/x-ndjson"
    lines = {each["id"]: each for each in map(json.loads, answer.content.splitlines())}
    assert lines[session_id]["system_prompt"] == "be brief"
    contents = [message["content"] for message in lines[session_id]["messages"]]
    assert contents[:3] == ["question 0", "answer 0", "question 1"]
    assert len(contents) == 6
    assert lines[empty]["messages"] == []
    assert {message for _, message in log()} == {"Exported."}


def test_what_is_gone_is_said_so(admin: Client) -> None:
    session_id = opened()
    sessions.delete(Caller(session_id=session_id))
    assert "exist" in admin.get(page(session_id), follow=True).content.decode()
    assert admin.get(page(session_id, "live")).json() == {"is_gone": True}
    for act in ("cancel", "expire", "export"):
        assert "exist" in do(admin, session_id, act)
    assert log() == []


def test_completed_turns_are_exported_for_fine_tuning(admin: Client) -> None:
    session_id, empty = opened(system_prompt="be brief"), opened()
    asked(session_id, "a question")
    fake_worker.complete_turn(session_id, "an answer")
    asked(session_id, "an open one")
    told = {"action": "export_turns", "_selected_action": [session_id, empty]}
    answer = admin.post(LIST, told)
    assert answer["Content-Type"] == "application/x-ndjson"
    (line,) = map(json.loads, answer.content.splitlines())
    rules.check(line)
    assert [message["content"] for message in line["messages"]] == [
        *("be brief", "a question", "an answer")
    ]
    assert log() == [(session_id, "Exported.")]  # of the other one nothing was
