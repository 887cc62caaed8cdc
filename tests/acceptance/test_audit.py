"""The audit accepts a good history and detects each manipulation of one."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from tests.acceptance.audit import Evidence, audit
from tests.acceptance.history import NO_RESPONSE, Post, Response
from tests.acceptance.redis_state import Event
from tests.acceptance.shared_deployment import SharedDeployment

Manipulation = Callable[[Evidence], None]


def session_of(evidence: Evidence) -> str:
    """Return the only session."""
    [session_id] = evidence.state.sessions
    return session_id


def delete_a_reply(evidence: Evidence) -> None:
    del evidence.state.messages[session_of(evidence)][4]


def leave_a_reply_open(evidence: Evidence) -> None:
    evidence.state.messages[session_of(evidence)][4]["status"] = "in_progress"


def change_an_outcome(evidence: Evidence) -> None:
    evidence.history.outcomes[session_of(evidence), "msg_2"]["content"] = "something else"


def start_a_turn_too_early(evidence: Evidence) -> None:
    events = evidence.state.events[session_of(evidence)]
    started = next(
        e for e in events if e["type"] == "message.started" and e["message_id"] == "msg_4"
    )
    events.remove(started)
    events.insert(0, started)


def omit_a_turn_from_a_prompt(evidence: Evidence) -> None:
    evidence.calls[1]["messages"] = evidence.calls[1]["messages"][-1:]


def add_a_turn_to_a_prompt(evidence: Evidence) -> None:
    evidence.calls[0]["messages"].insert(0, {"role": "user", "content": "of another session"})


def return_two_messages_for_a_key(evidence: Evidence) -> None:
    first, second = evidence.history.posts[:2]
    evidence.history.posts.append(replace(second, key=first.key))


def store_a_message_twice(evidence: Evidence) -> None:
    messages = evidence.state.messages[session_of(evidence)]
    messages[3]["content"] = messages[1]["content"]


def swap_replies(evidence: Evidence) -> None:
    messages = evidence.state.messages[session_of(evidence)]
    messages[4]["content"] = messages[2]["content"]


def call_the_model_twice(evidence: Evidence) -> None:
    evidence.calls.append(evidence.calls[0])


def leave_a_lease(evidence: Evidence) -> None:
    evidence.state.sessions[session_of(evidence)]["running_turn"] = "2"


def leave_a_partial_text(evidence: Evidence) -> None:
    evidence.state.owners["partial"].add(session_of(evidence))


def orphan_a_key(evidence: Evidence) -> None:
    evidence.state.owners["events"].add("gone")


def change_a_gauge(evidence: Evidence) -> None:
    evidence.state.counts["waiting"] = 1


def remove_a_session_from_due(evidence: Evidence) -> None:
    del evidence.state.due[session_of(evidence)]


def delay_a_session_in_due(evidence: Evidence) -> None:
    evidence.state.due[session_of(evidence)] += 1000


def restore_an_ended_session(evidence: Evidence) -> None:
    evidence.history.ended_sessions.add(session_of(evidence))


def respond(status: int, retry_after: str | None = None) -> Manipulation:
    def manipulate(evidence: Evidence) -> None:
        evidence.history.responses.append(
            Response(method="GET", path="/", status=status, seconds=0, retry_after=retry_after)
        )

    return manipulate


def remove_an_event(evidence: Evidence) -> None:
    del evidence.state.events[session_of(evidence)][1]


def shorten_a_delta(evidence: Evidence) -> None:
    event = first(evidence, "message.delta")
    event["delta"] = event["delta"][:-1]


def end_a_reply_twice(evidence: Evidence) -> None:
    events = evidence.state.events[session_of(evidence)]
    end = first(evidence, "message.completed")
    events.insert(events.index(end), end)


def first(evidence: Evidence, kind: str) -> Event:
    return next(
        event for event in evidence.state.events[session_of(evidence)] if event["type"] == kind
    )


# Manipulation -> the check that must detect it.
MANIPULATIONS: dict[Manipulation, str] = {
    delete_a_reply: "accepted_turns_have_ended",
    leave_a_reply_open: "accepted_turns_have_ended",
    change_an_outcome: "outcomes_are_final",
    start_a_turn_too_early: "turns_are_contiguous",
    omit_a_turn_from_a_prompt: "prompts_contain_previous_turns",
    add_a_turn_to_a_prompt: "prompts_contain_previous_turns",
    return_two_messages_for_a_key: "idempotency_keys_are_unique",
    store_a_message_twice: "idempotency_keys_are_unique",
    swap_replies: "replies_match_messages",
    call_the_model_twice: "model_calls_are_bounded",
    leave_a_lease: "nothing_is_left_over",
    leave_a_partial_text: "nothing_is_left_over",
    orphan_a_key: "nothing_is_left_over",
    change_a_gauge: "nothing_is_left_over",
    remove_a_session_from_due: "due_matches_sessions",
    delay_a_session_in_due: "due_matches_sessions",
    restore_an_ended_session: "due_matches_sessions",
    respond(500): "responses_are_expected",
    respond(503): "responses_are_expected",
    respond(429): "responses_are_expected",
    respond(NO_RESPONSE): "responses_are_expected",
    remove_an_event: "event_logs_match_messages",
    shorten_a_delta: "event_logs_match_messages",
    end_a_reply_twice: "event_logs_match_messages",
}


@pytest.mark.thorough
@pytest.mark.fault("F32")
def test_audit_detects_every_manipulation(deployment: SharedDeployment) -> None:
    client = deployment.client()
    posts: list[Post] = [client.post("Hello [[tokens=9 rate=20]]") for _ in range(2)]
    for post in posts:
        client.wait_for_reply(post, "completed")
    deployment.wait_until_idle()
    good = Evidence(deployment.history, deployment.redis_state(), deployment.calls())
    assert audit(good) == []
    for manipulate, check in MANIPULATIONS.items():
        evidence = deepcopy(good)
        manipulate(evidence)
        assert check in {error.partition(":")[0] for error in audit(evidence)}, manipulate
