"""The invariants of an idle Parley, checked after every test.

The audit compares three independent records: the responses that clients received, the data in
Redis, and the requests that the model received. It does not use the store's code, because a bug
there could hide itself. Each check yields error messages. The numbers I1 to I8 are those of the
guarantees in docs/faults.md.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.acceptance.event_log import EventLog, is_terminal
from tests.acceptance.history import NO_RESPONSE, OPEN_STATUSES, History
from tests.acceptance.redis_state import SESSION_KEYS, Event, Message, RedisState

# Replies with these statuses are shown to the model if they have text.
IN_CONVERSATION = {"completed", "incomplete", "cancelled"}
# Default number of messages that the model is shown.
WINDOW = 20

Call = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The three records."""

    history: History
    state: RedisState
    # Recorded by the fake model.
    calls: list[Call]


def audit(evidence: Evidence) -> list[str]:
    """Return the messages of all errors."""
    checks = (
        accepted_turns_have_ended,
        outcomes_are_final,
        turns_are_contiguous,
        prompts_contain_previous_turns,
        idempotency_keys_are_unique,
        replies_match_messages,
        model_calls_are_bounded,
        nothing_is_left_over,
        due_matches_sessions,
        responses_are_expected,
        event_logs_match_messages,
    )
    return [f"{check.__name__}: {error}" for check in checks for error in check(evidence)]


def accepted_turns_have_ended(evidence: Evidence) -> Iterator[str]:
    """I1: every 202 leads to a reply in a terminal status."""
    for post in evidence.history.accepted:
        reply = evidence.state.replies(post.session_id).get(post.reply_id)
        if reply is None:
            yield f"{post.session_id}: {post.reply_id} is missing"
        elif reply["status"] in OPEN_STATUSES:
            yield f"{post.session_id}: {post.reply_id} is {reply['status']}"


def outcomes_are_final(evidence: Evidence) -> Iterator[str]:
    """I2: an outcome that a client has received never changes."""
    for (session_id, reply_id), received in evidence.history.outcomes.items():
        stored = evidence.state.replies(session_id).get(reply_id)
        if stored != received and session_id not in evidence.history.ended_sessions:
            yield f"{session_id}: received {received}, stored {stored}"


def turns_are_contiguous(evidence: Evidence) -> Iterator[str]:
    """I3: a session's messages have no gaps, and no turn starts before the previous one ends."""
    for session_id, messages in evidence.state.messages.items():
        session = evidence.state.sessions[session_id]
        expected = range(int(session["first_message"]), 2 * int(session["tail"]) + 1)
        if list(messages) != list(expected):
            yield f"{session_id}: messages {list(messages)}, not {expected}"
        yield from _starts_in_order(session_id, evidence.state.events[session_id])


def _starts_in_order(session_id: str, events: list[Event]) -> Iterator[str]:
    open_turns: set[int] = set()
    for event in events:
        number = int(event.get("message_id", "msg_0").removeprefix("msg_"))
        match event["type"]:
            case "message.queued":
                open_turns.add(number)
            case "message.started" if number != min(open_turns, default=0):
                yield f"{session_id}: msg_{number} started while {open_turns} were open"
            case "session.reset":
                open_turns.clear()
            case _ if is_terminal(event):
                open_turns.discard(number)


def prompts_contain_previous_turns(evidence: Evidence) -> Iterator[str]:
    """I3: the prompt of a turn contains exactly the previous turns."""
    prompts: dict[str, list[tuple[str, str]]] = {}
    for messages in evidence.state.messages.values():
        prompts |= _expected_prompts(messages)
    for call in evidence.calls:
        prompt = prompts.get(call["last_user_message"])
        if prompt is None:
            continue  # the session was deleted
        shown = [(each["role"], each["content"]) for each in call["messages"]]
        is_whole = len(shown) == len(prompt) or len(shown) >= WINDOW - 1
        if not is_whole or shown != prompt[-len(shown) :]:
            yield f"call {call['number']} contained {shown}, not {prompt}"


def _expected_prompts(messages: dict[int, Message]) -> dict[str, list[tuple[str, str]]]:
    """Return the expected prompt of each user message, by its content."""
    replies = {each["reply_to"]: each for each in messages.values() if each["reply_to"]}
    prompts, before = {}, list[tuple[str, str]]()
    for message in messages.values():
        if message["role"] != "user":
            continue
        question = ("user", message["content"])
        prompts[message["content"]] = [*before, question]
        reply = replies.get(message["id"], {"status": "missing"})
        if reply["status"] in IN_CONVERSATION and reply["content"]:
            before += [question, ("assistant", reply["content"])]
    return prompts


def idempotency_keys_are_unique(evidence: Evidence) -> Iterator[str]:
    """I4: one idempotency key creates one message, and every message was posted."""
    returned = defaultdict(set)
    posted = defaultdict(set)
    for post in evidence.history.posts:
        posted[post.session_id].add(post.content)
        if post.is_accepted:
            returned[post.session_id, post.key].add((post.message_id, post.reply_id))
    yield from (f"{key} returned {ids}" for key, ids in returned.items() if len(ids) > 1)
    for session_id, messages in evidence.state.messages.items():
        contents = [each["content"] for each in messages.values() if each["role"] == "user"]
        if len(contents) != len(set(contents)) or not posted[session_id].issuperset(contents):
            yield f"{session_id} contains {contents}"


def replies_match_messages(evidence: Evidence) -> Iterator[str]:
    """The model echoes the first word of its prompt, which is unique to each message."""
    for session_id, messages in evidence.state.messages.items():
        contents = {each["id"]: each["content"] for each in messages.values()}
        for message in messages.values():
            if message["status"] == "completed" and message["role"] == "assistant":
                expected = ["echo:", contents.get(message["reply_to"], "missing").split()[0]]
                if message["content"].split()[:2] != expected:
                    yield f"{session_id}: {message['id']} is {message['content'][:80]!r}"


def model_calls_are_bounded(evidence: Evidence) -> Iterator[str]:
    """I5: at most 1 + faults calls per turn, and none without a claim."""
    history = evidence.history
    calls = Counter(call["last_user_message"] for call in evidence.calls)
    for content, count in calls.items():
        if count > 1 + history.faults[content] + history.global_faults:
            yield f"{content!r}: {count} calls"
    for session_id, events in evidence.state.events.items():
        claims = Counter(e["message_id"] for e in events if e["type"] == "message.started")
        contents = {e["id"]: e["content"] for e in evidence.state.messages[session_id].values()}
        for reply in evidence.state.replies(session_id).values():
            content = contents.get(reply["reply_to"], "missing")
            if calls[content] > claims[reply["id"]] + history.failovers:
                yield f"{content!r}: {calls[content]} calls, {claims[reply['id']]} claims"


def nothing_is_left_over(evidence: Evidence) -> Iterator[str]:
    """I6: session queues are empty, no lease is held, no key is orphaned, gauges are 0."""
    state = evidence.state
    for session_id, session in state.sessions.items():
        idle = {"running_turn": "0", "waiting": "0", "head": str(int(session["tail"]) + 1)}
        found = {name: session.get(name) for name in idle}
        if found != idle or session.get("nonce") or state.pending_requests.get(session_id):
            yield f"{session_id} is not idle: {session}, {state.pending_requests.get(session_id)}"
    yield from _deliveries_match_outbox(state, state.owners.pop("deliveries", set()))
    for kind, owners in state.owners.items():
        if kind not in SESSION_KEYS or kind == "partial":
            yield f"{kind} keys remain: {owners}"
        elif orphans := owners - state.sessions.keys():
            yield f"{kind} keys without a session: {orphans}"
    gauges = {name: state.counts[name] for name in ("sessions", "waiting", "running")}
    if gauges != {"sessions": len(state.sessions), "waiting": 0, "running": 0}:
        yield f"gauges are {gauges} with {len(state.sessions)} sessions"


def _deliveries_match_outbox(state: RedisState, owners: set[str]) -> Iterator[str]:
    pending = {member.rpartition(":")[0] for member in state.outbox}
    if orphans := owners - state.sessions.keys() - pending:
        yield f"deliveries without a session and nothing to send: {orphans}"
    if missing := pending - owners:
        yield f"outbox entries without deliveries: {missing}"


def due_matches_sessions(evidence: Evidence) -> Iterator[str]:
    """I6: `due` and `by_activity` contain exactly the live sessions, each due at its expiry."""
    state = evidence.state
    expiries = {name: float(session["expires_at"]) for name, session in state.sessions.items()}
    if state.due != expiries:
        yield f"due contains {state.due}, sessions expire at {expiries}"
    if state.by_activity.keys() != state.sessions.keys():
        yield f"by_activity differs: {state.by_activity.keys() ^ state.sessions.keys()}"
    if existing := evidence.history.ended_sessions & state.sessions.keys():
        yield f"ended sessions exist: {existing}"


def responses_are_expected(evidence: Evidence) -> Iterator[str]:
    """I7: clients receive 2xx, 4xx or 503; 429 and 503 have Retry-After."""
    for response in evidence.history.responses:
        if response.status == NO_RESPONSE and evidence.history.servers_were_killed:
            continue
        if not (200 <= response.status < 500 or response.status == 503):
            yield f"{response}"
        elif response.status in {429, 503} and not int(response.retry_after or 0):
            yield f"no Retry-After: {response}"


def event_logs_match_messages(evidence: Evidence) -> Iterator[str]:
    """I8: a log has no gap and one terminal event per reply; joined deltas are the content."""
    for session_id, events in evidence.state.events.items():
        numbers = [event["seq"] for event in events]
        if numbers != list(range(1, int(evidence.state.sessions[session_id]["seq"]) + 1)):
            yield f"{session_id}: seqs {numbers}"
        log = EventLog()
        for event in events:
            log.apply(event)
        yield from (f"{session_id}: {error}" for error in log.errors)
        stored = evidence.state.replies(session_id)
        if log.replies != stored:
            yield f"{session_id}: the log has {log.replies}, stored are {stored}"
