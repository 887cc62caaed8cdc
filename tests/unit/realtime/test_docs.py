"""The documentation of events and subscriptions is complete."""

import re
from pathlib import Path

from chat.api.exception_handler import STATUSES
from chat.domain import Status
from chat.domain.errors import (
    AuthTimeout,
    InvalidRequest,
    InvalidToken,
    NotFound,
    ParleyError,
    RateLimited,
    SessionExpired,
    SessionNotFound,
    SlowConsumer,
    StoreUnavailable,
)
from chat.realtime import close_codes, commands, event_json, session_events
from chat.store.scripts import SCRIPTS_DIR
from project.settings import BASE_DIR

EVENTS = (BASE_DIR / "docs" / "events.md").read_text()
FOLLOWING = (BASE_DIR / "docs" / "subscriptions.md").read_text()
TYPE = re.compile(r"'((?:message|session)\.[a-z]*)'")
TERMINAL_EVENTS = {f"message.{status}" for status in Status if status.is_terminal}


def sources() -> str:
    return "".join(path.read_text() for path in SCRIPTS_DIR.rglob("*.lua"))


def events_of_the_scripts() -> set[str]:
    """Return all event types that the scripts log or publish."""
    event_types = set(TYPE.findall(sources()))
    event_types.discard("message.")  # followed by a status
    return event_types | TERMINAL_EVENTS


def documented(page: str) -> set[str]:
    return set(re.findall(r"^\| `([a-z]+(?:\.[a-z]+)?)` \|", page, re.MULTILINE))


def test_exactly_the_existing_events_are_documented() -> None:
    own = {event_json.GAP, event_json.SNAPSHOT}
    synthetic = {re.findall(rb'"type":"([a-z]+)"', each)[0].decode() for each in own}
    members = {"type", "seq"}
    assert documented(EVENTS) - members == events_of_the_scripts() | synthetic
    assert set(session_events.FINAL_EVENTS.values()) <= events_of_the_scripts()


def test_final_event_is_named_after_the_status() -> None:
    assert "append_event('message.' .. status" in sources()


def test_commands_and_responses_are_documented() -> None:
    source = Path(commands.__file__).read_text()
    responses = set(re.findall(r"""b'"type":"([a-z.]+)""", source))
    assert responses == {"message.accepted", "cancel.accepted", "pong", "error"}
    for kind in {"auth", *commands.HANDLERS}:
        assert f'"type": "{kind}"' in FOLLOWING
    for kind in responses:
        assert f"`{kind}`" in FOLLOWING or f'"type": "{kind}"' in FOLLOWING


def test_exactly_the_existing_close_codes_are_documented() -> None:
    errors: list[ParleyError] = [
        *(InvalidRequest(), InvalidToken(), SessionExpired(), SessionNotFound(), NotFound()),
        *(AuthTimeout(), SlowConsumer(), RateLimited(), StoreUnavailable()),
    ]
    codes = {close_codes.close_code(error) for error in errors}
    codes |= {
        close_codes.INTERNAL_ERROR,
        close_codes.SERVICE_RESTART,
        close_codes.NOT_FOUND,
        1007,
        1009,
    }
    documented_codes = re.findall(r"^\| (\d{4}) \|", FOLLOWING, re.MULTILINE)
    assert set(map(int, documented_codes)) == codes


def test_private_close_codes_contain_the_http_status() -> None:
    assert close_codes.close_code(RateLimited()) == 4000 + STATUSES["rate_limited"]
    assert close_codes.close_code(SlowConsumer()) == 4413
    assert close_codes.close_code(ParleyError()) == close_codes.INTERNAL_ERROR
    assert close_codes.close_code(StoreUnavailable()) == close_codes.TRY_AGAIN_LATER
