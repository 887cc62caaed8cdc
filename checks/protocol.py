"""The docs list exactly the events, commands, close codes, errors and fields that exist."""

import re
from collections.abc import Iterator, Set
from dataclasses import fields
from typing import TypeVar

from chat.api.exception_handler import STATUSES
from chat.domain import Model, Status, Timeouts
from chat.domain.errors import (
    AuthTimeout,
    Banned,
    InternalError,
    InvalidRequest,
    InvalidToken,
    NotFound,
    ParleyError,
    ProviderError,
    RateLimited,
    SessionExpired,
    SessionNotFound,
    SlowConsumer,
    StoreUnavailable,
    TurnFailed,
    UpstreamClosed,
)
from chat.providers.finish_reasons import FINISH_REASONS
from chat.realtime import close_codes, commands, event_json, session_events
from chat.store.scripts import SCRIPTS_DIR
from checks.files import at, read

Kind = TypeVar("Kind", bound=ParleyError)

API = "docs/api.md"
EVENTS = "docs/events.md"
MODELS = "docs/models.md"
SUBSCRIPTIONS = "docs/subscriptions.md"
# The errors that can close a WebSocket.
SOCKET_ERRORS = (
    AuthTimeout,
    Banned,
    InvalidRequest,
    InvalidToken,
    NotFound,
    RateLimited,
    SessionExpired,
    SessionNotFound,
    SlowConsumer,
    StoreUnavailable,
)
EVENT_IN_LUA = re.compile(r"'((?:message|session)\.[a-z]+)'")
EVENT_MEMBERS = {"type", "seq"}
# Codes that the server library sends: a frame that is not UTF-8, and one that is too large.
LIBRARY_CODES = {1007, 1009}
# Fields of a model that the page describes in its text.
DESCRIBED = {"name", "provider", "url"}


def compare(page: str, listed: Set[str], existing: Set[str]) -> Iterator[str]:
    """Yield what a page lacks, and what it lists although it does not exist."""
    for name in sorted(existing - listed):
        yield f"{at(page)}: list `{name}`"
    for name in sorted(listed - existing):
        yield f"{at(page, f'`{name}`')}: `{name}` does not exist; remove it"


def table(page: str, cell: str) -> set[str]:
    """Return the first cells of a page's tables that match `cell`."""
    return set(re.findall(rf"^\| {cell} \|", read(page), re.MULTILINE))


def all_errors(kind: type[Kind]) -> set[type[Kind]]:
    """Return an error and those below it in the tree that are Parley's own."""
    own = {kind} if kind.__module__.startswith("chat.domain.") else set()
    return own.union(*(all_errors(child) for child in kind.__subclasses__()))


def events() -> Iterator[str]:
    """The scripts log the events; the server adds those without a number."""
    scripts = "".join(path.read_text() for path in SCRIPTS_DIR.rglob("*.lua"))
    existing = set(EVENT_IN_LUA.findall(scripts))
    existing |= {f"message.{status}" for status in Status if status.is_terminal}
    for added in (event_json.GAP, event_json.SNAPSHOT):
        existing |= {each.decode() for each in re.findall(rb'"type":"([a-z]+)"', added)}
    for event in set(session_events.FINAL_EVENTS.values()) - existing:
        yield f"{at('chat/realtime/session_events.py', event)}: no script logs {event}"
    yield from compare(EVENTS, table(EVENTS, r"`([a-z]+(?:\.[a-z]+)?)`") - EVENT_MEMBERS, existing)


def socket_frames() -> Iterator[str]:
    """Commands of a WebSocket and the responses to them."""
    page = read(SUBSCRIPTIONS)
    responses = re.findall(r"""b'"type":"([a-z.]+)""", read("chat/realtime/commands.py"))
    if not responses:
        yield f"{at('chat/realtime/commands.py')}: no frames found; correct checks/protocol.py"
    for kind in ("auth", *commands.HANDLERS, *responses):
        if f'"type": "{kind}"' not in page and (kind not in responses or f"`{kind}`" not in page):
            yield f"{at(SUBSCRIPTIONS)}: describe the frame `{kind}`"


def closing_codes() -> Iterator[str]:
    """The codes that close a WebSocket."""
    codes = {close_codes.INTERNAL_ERROR, close_codes.SERVICE_RESTART, close_codes.NOT_FOUND}
    codes |= {close_codes.close_code(kind()) for kind in SOCKET_ERRORS} | LIBRARY_CODES
    yield from compare(SUBSCRIPTIONS, table(SUBSCRIPTIONS, r"(\d{4})"), set(map(str, codes)))


def error_statuses() -> Iterator[str]:
    """The HTTP status of each error; none if only replies report it, no row if clients see none."""
    listed = dict(re.findall(r"^\| `([a-z_]+)` \| (\d*)", read(API), re.MULTILINE))
    for kind in (kind for kind in all_errors(ParleyError) if "code" in vars(kind)):
        status = "" if issubclass(kind, TurnFailed) else f"{STATUSES.get(kind.code, 0):d}"
        expected = None if issubclass(kind, InternalError) else status
        if listed.get(kind.code) != expected:
            yield f"{at(API, f'| `{kind.code}` |')}: expected `{kind.code}` with status {expected}"


def model_errors() -> Iterator[str]:
    """Whether an error of a model is retried, and counts as an attempt."""
    rows = {line.split("`")[1]: line for line in read(MODELS).splitlines() if line[:3] == "| `"}
    for kind in all_errors(ProviderError) - {ProviderError, UpstreamClosed}:
        row = rows.get(kind.code, "")
        retried = row.rstrip(" |").rpartition("|")[2].strip().startswith("yes")
        counts = "uses no attempt" not in row
        if not row or (retried, counts) != (kind.retryable, kind.counts_as_attempt):
            yield (
                f"{at(MODELS, f'| `{kind.code}`')}: list `{kind.code}`: retryable is"
                f" {kind.retryable}, counts_as_attempt is {kind.counts_as_attempt}"
            )


def model_fields() -> Iterator[str]:
    """The fields of a model, and the finish reasons of the vendors."""
    page = read(MODELS)
    for name in {field.name for kind in (Model, Timeouts) for field in fields(kind)} - DESCRIBED:
        if f"`{name}`" not in page:
            yield f"{at(MODELS)}: describe `{name}`"
    for word, reason in FINISH_REASONS.items():
        if not re.search(rf"^\| .*`{word}`.*\| `{reason}` \|", page, re.MULTILINE):
            yield f"{at(MODELS, f'`{reason}`')}: list `{word}` as `{reason}`"


CHECKS = (events, socket_frames, closing_codes, error_statuses, model_errors, model_fields)
