"""A session's event log, read as a client has to read it."""

from collections import defaultdict

from tests.acceptance.history import OPEN
from tests.acceptance.kept import Event, Message

BEFORE = {"queued": "new", "started": "queued", "delta": "in_progress", "restarted": "in_progress"}
"""What a reply has to be for an event to befall it; to end, it has to be open."""


class Log:
    """What a follower knows after the events that it has taken."""

    def __init__(self) -> None:
        self.replies: dict[str, Message] = {}
        self.wrong: list[str] = []
        """What no follower should have to expect."""
        self._said: dict[str, str] = defaultdict(str)
        """Reply -> its deltas since it was last started, joined."""

    def take(self, event: Event) -> None:
        """Go on by one event."""
        noun, _, verb = event["type"].partition(".")
        if event["type"] == "session.reset":
            self.replies.clear()
        if noun == "message":
            self._check(event, verb)
            self._apply(event, verb)

    def _check(self, event: Event, verb: str) -> None:
        reply_id = event["message_id"]
        status = self.replies.get(reply_id, {"status": "new"})["status"]
        if status not in ([BEFORE[verb]] if verb in BEFORE else OPEN):
            self.wrong.append(f"seq {event['seq']}: {reply_id} was {status} before {verb}")
        if is_terminal(event) and self._said[reply_id] != event["message"]["content"]:
            said = self._said[reply_id]
            self.wrong.append(f"seq {event['seq']}: deltas of {reply_id} join to {said!r}")

    def _apply(self, event: Event, verb: str) -> None:
        reply_id = event["message_id"]
        if verb == "delta":
            self._said[reply_id] += event["delta"]
            return
        self.replies[reply_id] = event["reply"] if verb == "queued" else event["message"]
        if verb in {"started", "restarted"}:
            self._said[reply_id] = ""


def is_terminal(event: Event) -> bool:
    """Whether a reply is over with this event."""
    message = event.get("message", {})
    return message.get("role") == "assistant" and message["status"] not in OPEN
