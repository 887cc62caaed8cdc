"""The invariants of a Parley at rest, checked after every row.

Three witnesses are compared that know nothing of one another: what the clients were told, what
stands in Redis, and what the model was asked. None of the store's code is used, so that a mistake
there cannot hide itself. Each function yields what is wrong, in words.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.acceptance.history import NO_ANSWER, OPEN, History
from tests.acceptance.kept import OF_A_SESSION, Event, Kept, Message
from tests.acceptance.log import Log, is_terminal

SHOWN = {"completed", "incomplete", "cancelled"}
"""The replies that belong to the conversation, if they say anything."""
WINDOW = 20
"""Messages of the history that a session shows the model if it does not say."""

Call = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the three witnesses say."""

    history: History
    kept: Kept
    calls: list[Call]
    """The fake model's record."""


def audit(evidence: Evidence) -> list[str]:
    """Return everything that is wrong."""
    checks = (
        each_202_has_ended,
        no_outcome_has_changed,
        turns_are_contiguous,
        prompts_hold_the_turns_before,
        one_key_is_one_message,
        replies_answer_their_message,
        the_model_was_asked_once,
        nothing_is_left_over,
        due_holds_the_live_sessions,
        clients_saw_no_crash,
        logs_fold_to_the_messages,
    )
    return [f"{check.__name__}: {wrong}" for check in checks for wrong in check(evidence)]


def each_202_has_ended(evidence: Evidence) -> Iterator[str]:
    """I1: each 202 ends in a terminal reply."""
    for post in evidence.history.accepted:
        reply = evidence.kept.replies(post.session_id).get(post.reply_id)
        if reply is None:
            yield f"{post.session_id} has lost {post.reply_id}"
        elif reply["status"] in OPEN:
            yield f"{post.session_id} {post.reply_id} is {reply['status']}"


def no_outcome_has_changed(evidence: Evidence) -> Iterator[str]:
    """I2: what a client was once told to be the outcome is the outcome."""
    for (session_id, reply_id), told in evidence.history.told.items():
        kept = evidence.kept.replies(session_id).get(reply_id)
        if kept != told and session_id not in evidence.history.ended:
            yield f"{session_id}: told {told}, kept {kept}"


def turns_are_contiguous(evidence: Evidence) -> Iterator[str]:
    """I3: a session's messages have no holes, and no turn begins before the one ahead is over."""
    for session_id, messages in evidence.kept.messages.items():
        session = evidence.kept.sessions[session_id]
        wanted = range(int(session["first_message"]), 2 * int(session["tail"]) + 1)
        if list(messages) != list(wanted):
            yield f"{session_id}: messages {list(messages)}, not {wanted}"
        yield from _starts_in_order(session_id, evidence.kept.events[session_id])


def _starts_in_order(session_id: str, events: list[Event]) -> Iterator[str]:
    open_turns: set[int] = set()
    for event in events:
        number = int(event.get("message_id", "msg_0").removeprefix("msg_"))
        match event["type"]:
            case "message.queued":
                open_turns.add(number)
            case "message.started" if number != min(open_turns, default=0):
                yield f"{session_id}: msg_{number} began while {open_turns} were open"
            case "session.reset":
                open_turns.clear()
            case _ if is_terminal(event):
                open_turns.discard(number)


def prompts_hold_the_turns_before(evidence: Evidence) -> Iterator[str]:
    """I3: the prompt of turn n holds exactly the turns before it."""
    wanted: dict[str, list[tuple[str, str]]] = {}
    for messages in evidence.kept.messages.values():
        wanted |= _prompts(messages)
    for call in evidence.calls:
        prompt = wanted.get(call["last_user_message"])
        if prompt is None:
            continue  # of a session that has ended
        shown = [(each["role"], each["content"]) for each in call["messages"]]
        is_whole = len(shown) == len(prompt) or len(shown) >= WINDOW - 1
        if not is_whole or shown != prompt[-len(shown) :]:
            yield f"call {call['number']} showed {shown}, not {prompt}"


def _prompts(messages: dict[int, Message]) -> dict[str, list[tuple[str, str]]]:
    """Each user message's content and all that the model is to be shown with it."""
    replies = {each["reply_to"]: each for each in messages.values() if each["reply_to"]}
    prompts, before = {}, list[tuple[str, str]]()
    for message in messages.values():
        if message["role"] != "user":
            continue
        asked = ("user", message["content"])
        prompts[message["content"]] = [*before, asked]
        reply = replies.get(message["id"], {"status": "lost"})
        if reply["status"] in SHOWN and reply["content"]:
            before += [asked, ("assistant", reply["content"])]
    return prompts


def one_key_is_one_message(evidence: Evidence) -> Iterator[str]:
    """I4: one idempotency key, one message; and none that nobody posted."""
    told = defaultdict(set)
    posted = defaultdict(set)
    for post in evidence.history.posts:
        posted[post.session_id].add(post.content)
        if post.is_accepted:
            told[post.session_id, post.key].add((post.message_id, post.reply_id))
    yield from (f"{key} was told {ids}" for key, ids in told.items() if len(ids) > 1)
    for session_id, messages in evidence.kept.messages.items():
        contents = [each["content"] for each in messages.values() if each["role"] == "user"]
        if len(contents) != len(set(contents)) or not posted[session_id].issuperset(contents):
            yield f"{session_id} holds {contents}"


def replies_answer_their_message(evidence: Evidence) -> Iterator[str]:
    """The model echoes the first word of what it is asked, and no two messages share that."""
    for session_id, messages in evidence.kept.messages.items():
        contents = {each["id"]: each["content"] for each in messages.values()}
        for message in messages.values():
            if message["status"] == "completed" and message["role"] == "assistant":
                wanted = ["echo:", contents.get(message["reply_to"], "lost").split()[0]]
                if message["content"].split()[:2] != wanted:
                    yield f"{session_id} {message['id']} says {message['content'][:80]!r}"


def the_model_was_asked_once(evidence: Evidence) -> Iterator[str]:
    """I5: model calls <= 1 + faults that hit the turn, and none without a claim."""
    history = evidence.history
    calls = Counter(call["last_user_message"] for call in evidence.calls)
    for asked, count in calls.items():
        if count > 1 + history.faults[asked] + history.faults_everywhere:
            yield f"{asked!r} was asked {count} times"
    for session_id, events in evidence.kept.events.items():
        claims = Counter(e["message_id"] for e in events if e["type"] == "message.started")
        contents = {e["id"]: e["content"] for e in evidence.kept.messages[session_id].values()}
        for reply in evidence.kept.replies(session_id).values():
            asked = contents.get(reply["reply_to"], "lost")
            if calls[asked] > claims[reply["id"]] + history.failovers:
                yield f"{asked!r}: {calls[asked]} calls, {claims[reply['id']]} claims"


def nothing_is_left_over(evidence: Evidence) -> Iterator[str]:
    """I6: inboxes empty, no lease, no key without an owner, gauges at naught."""
    kept = evidence.kept
    for session_id, session in kept.sessions.items():
        idle = {"running_turn": "0", "waiting": "0", "head": str(int(session["tail"]) + 1)}
        found = {name: session.get(name) for name in idle}
        if found != idle or session.get("nonce") or kept.asks.get(session_id):
            yield f"{session_id} is not idle: {session}, {kept.asks.get(session_id)}"
    yield from _deliveries_are_owed(kept, kept.owners.pop("deliveries", set()))
    for noun, owners in kept.owners.items():
        if noun not in OF_A_SESSION or noun == "partial":
            yield f"{noun} keys are left of {owners}"
        elif strays := owners - kept.sessions.keys():
            yield f"{noun} keys without a session: {strays}"
    gauges = {name: kept.counts[name] for name in ("sessions", "waiting", "running")}
    if gauges != {"sessions": len(kept.sessions), "waiting": 0, "running": 0}:
        yield f"gauges say {gauges}, there are {len(kept.sessions)} sessions"


def _deliveries_are_owed(kept: Kept, owners: set[str]) -> Iterator[str]:
    posting = {member.rpartition(":")[0] for member in kept.outbox}
    if strays := owners - kept.sessions.keys() - posting:
        yield f"deliveries without a session and nothing to send: {strays}"
    if lost := posting - owners:
        yield f"an outbox without deliveries: {lost}"


def due_holds_the_live_sessions(evidence: Evidence) -> Iterator[str]:
    """I6: `due` and the index hold exactly the live sessions, each due at its expiry."""
    kept = evidence.kept
    expiries = {name: float(session["expires_at"]) for name, session in kept.sessions.items()}
    if kept.due != expiries:
        yield f"due holds {kept.due}, sessions expire {expiries}"
    if kept.by_activity.keys() != kept.sessions.keys():
        yield f"by_activity differs: {kept.by_activity.keys() ^ kept.sessions.keys()}"
    if back := evidence.history.ended & kept.sessions.keys():
        yield f"ended sessions exist: {back}"


def clients_saw_no_crash(evidence: Evidence) -> Iterator[str]:
    """I7: clients only ever see 2xx, 4xx, or 503, the latter and 429 with Retry-After."""
    for answer in evidence.history.answers:
        if answer.status == NO_ANSWER and evidence.history.servers_were_killed:
            continue
        is_refused = answer.status in {429, 503}
        if not (200 <= answer.status < 500 or answer.status == 503):
            yield f"{answer}"
        elif is_refused and not int(answer.retry_after or 0):
            yield f"no Retry-After: {answer}"


def logs_fold_to_the_messages(evidence: Evidence) -> Iterator[str]:
    """I8: a log has no gap, one terminal event a reply, and its deltas join to the content."""
    for session_id, events in evidence.kept.events.items():
        numbers = [event["seq"] for event in events]
        if numbers != list(range(1, int(evidence.kept.sessions[session_id]["seq"]) + 1)):
            yield f"{session_id}: seqs {numbers}"
        log = Log()
        for event in events:
            log.take(event)
        yield from (f"{session_id}: {wrong}" for wrong in log.wrong)
        kept = evidence.kept.replies(session_id)
        if log.replies != kept:
            yield f"{session_id}: the log says {log.replies}, kept is {kept}"
