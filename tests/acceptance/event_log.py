"""A session's event log, applied as a client would."""

from collections import defaultdict

from tests.acceptance.history import OPEN_STATUSES
from tests.acceptance.redis_state import Event, Message

# Event -> the status that the reply must have before it. A terminal event requires an open status.
PREVIOUS_STATUS = {
    "queued": "new",
    "started": "queued",
    "delta": "in_progress",
    "restarted": "in_progress",
}


class EventLog:
    """The state of a subscriber after the events so far."""

    def __init__(self) -> None:
        self.replies: dict[str, Message] = {}
        self.errors: list[str] = []
        # Reply -> its joined deltas since it was last started.
        self._text: dict[str, str] = defaultdict(str)

    def apply(self, event: Event) -> None:
        noun, _, verb = event["type"].partition(".")
        if event["type"] == "session.reset":
            self.replies.clear()
        if noun == "message":
            self._check(event, verb)
            self._apply(event, verb)

    def _check(self, event: Event, verb: str) -> None:
        reply_id = event["message_id"]
        status = self.replies.get(reply_id, {"status": "new"})["status"]
        if status not in ([PREVIOUS_STATUS[verb]] if verb in PREVIOUS_STATUS else OPEN_STATUSES):
            self.errors.append(f"seq {event['seq']}: {reply_id} was {status} before {verb}")
        if is_terminal(event) and self._text[reply_id] != event["message"]["content"]:
            text = self._text[reply_id]
            self.errors.append(f"seq {event['seq']}: the deltas of {reply_id} are {text!r}")

    def _apply(self, event: Event, verb: str) -> None:
        reply_id = event["message_id"]
        if verb == "delta":
            self._text[reply_id] += event["delta"]
            return
        self.replies[reply_id] = event["reply"] if verb == "queued" else event["message"]
        if verb in {"started", "restarted"}:
            self._text[reply_id] = ""


def is_terminal(event: Event) -> bool:
    """Return whether the event ends a reply."""
    message = event.get("message", {})
    return message.get("role") == "assistant" and message["status"] not in OPEN_STATUSES
