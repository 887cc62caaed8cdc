"""The audit itself: it is content with a good history and names each way to spoil one."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from tests.acceptance.audit import Evidence, audit
from tests.acceptance.history import NO_ANSWER, Answer, Post
from tests.acceptance.kept import Event
from tests.acceptance.usual import Usual

Spoiler = Callable[[Evidence], None]


def session_of(evidence: Evidence) -> str:
    """The one session that there is."""
    [session_id] = evidence.kept.sessions
    return session_id


def lose_a_reply(evidence: Evidence) -> None:
    del evidence.kept.messages[session_of(evidence)][4]


def leave_a_reply_open(evidence: Evidence) -> None:
    evidence.kept.messages[session_of(evidence)][4]["status"] = "in_progress"


def change_an_outcome(evidence: Evidence) -> None:
    evidence.history.told[session_of(evidence), "msg_2"]["content"] = "something else"


def begin_a_turn_too_early(evidence: Evidence) -> None:
    events = evidence.kept.events[session_of(evidence)]
    started = next(
        e for e in events if e["type"] == "message.started" and e["message_id"] == "msg_4"
    )
    events.remove(started)
    events.insert(0, started)


def hide_a_turn_from_the_model(evidence: Evidence) -> None:
    evidence.calls[1]["messages"] = evidence.calls[1]["messages"][-1:]


def show_the_model_a_turn_too_many(evidence: Evidence) -> None:
    evidence.calls[0]["messages"].insert(0, {"role": "user", "content": "of another session"})


def tell_a_key_of_two_messages(evidence: Evidence) -> None:
    first, second = evidence.history.posts[:2]
    evidence.history.posts.append(replace(second, key=first.key))


def keep_a_message_twice(evidence: Evidence) -> None:
    messages = evidence.kept.messages[session_of(evidence)]
    messages[3]["content"] = messages[1]["content"]


def answer_another_message(evidence: Evidence) -> None:
    messages = evidence.kept.messages[session_of(evidence)]
    messages[4]["content"] = messages[2]["content"]


def ask_the_model_twice(evidence: Evidence) -> None:
    evidence.calls.append(evidence.calls[0])


def forget_a_lease(evidence: Evidence) -> None:
    evidence.kept.sessions[session_of(evidence)]["running_turn"] = "2"


def forget_a_partial(evidence: Evidence) -> None:
    evidence.kept.owners["partial"].add(session_of(evidence))


def leave_a_key_without_its_session(evidence: Evidence) -> None:
    evidence.kept.owners["events"].add("gone")


def miscount(evidence: Evidence) -> None:
    evidence.kept.counts["waiting"] = 1


def let_a_session_fall_out_of_due(evidence: Evidence) -> None:
    del evidence.kept.due[session_of(evidence)]


def have_a_session_due_too_late(evidence: Evidence) -> None:
    evidence.kept.due[session_of(evidence)] += 1000


def bring_a_session_back(evidence: Evidence) -> None:
    evidence.history.ended.add(session_of(evidence))


def answer(status: int, retry_after: str | None = None) -> Spoiler:
    def spoil(evidence: Evidence) -> None:
        evidence.history.answers.append(
            Answer(method="GET", path="/", status=status, seconds=0, retry_after=retry_after)
        )

    return spoil


def tear_the_log(evidence: Evidence) -> None:
    del evidence.kept.events[session_of(evidence)][1]


def lose_a_delta(evidence: Evidence) -> None:
    event = first(evidence, "message.delta")
    event["delta"] = event["delta"][:-1]


def end_twice(evidence: Evidence) -> None:
    events = evidence.kept.events[session_of(evidence)]
    end = first(evidence, "message.completed")
    events.insert(events.index(end), end)


def first(evidence: Evidence, kind: str) -> Event:
    return next(
        event for event in evidence.kept.events[session_of(evidence)] if event["type"] == kind
    )


SPOILERS: dict[Spoiler, str] = {
    lose_a_reply: "each_202_has_ended",
    leave_a_reply_open: "each_202_has_ended",
    change_an_outcome: "no_outcome_has_changed",
    begin_a_turn_too_early: "turns_are_contiguous",
    hide_a_turn_from_the_model: "prompts_hold_the_turns_before",
    show_the_model_a_turn_too_many: "prompts_hold_the_turns_before",
    tell_a_key_of_two_messages: "one_key_is_one_message",
    keep_a_message_twice: "one_key_is_one_message",
    answer_another_message: "replies_answer_their_message",
    ask_the_model_twice: "the_model_was_asked_once",
    forget_a_lease: "nothing_is_left_over",
    forget_a_partial: "nothing_is_left_over",
    leave_a_key_without_its_session: "nothing_is_left_over",
    miscount: "nothing_is_left_over",
    let_a_session_fall_out_of_due: "due_holds_the_live_sessions",
    have_a_session_due_too_late: "due_holds_the_live_sessions",
    bring_a_session_back: "due_holds_the_live_sessions",
    answer(500): "clients_saw_no_crash",
    answer(503): "clients_saw_no_crash",
    answer(429): "clients_saw_no_crash",
    answer(NO_ANSWER): "clients_saw_no_crash",
    tear_the_log: "logs_fold_to_the_messages",
    lose_a_delta: "logs_fold_to_the_messages",
    end_twice: "logs_fold_to_the_messages",
}
"""A way to spoil the evidence -> the check that must see it."""


@pytest.mark.fault("F32")
def test_the_audit_names_whatever_spoils_a_good_history(here: Usual) -> None:
    client = here.client()
    posts: list[Post] = [client.post("Hello [[tokens=9 rate=20]]") for _ in range(2)]
    for post in posts:
        client.reply_in(post, "completed")
    here.rest()
    good = Evidence(here.history, here.kept(), here.calls())
    assert audit(good) == []
    for spoil, check in SPOILERS.items():
        spoilt = deepcopy(good)
        spoil(spoilt)
        assert check in {wrong.partition(":")[0] for wrong in audit(spoilt)}, spoil
