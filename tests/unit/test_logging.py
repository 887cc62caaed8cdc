"""Formats and context of log records."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from threading import Thread

import pytest
from django.core.exceptions import TooManyFieldsSent

from chat.logging import (
    ConsoleHandler,
    ContextFilter,
    JSONFormatter,
    TextFormatter,
    log_context,
    log_turn,
    request_id,
    reset_context,
)


@pytest.fixture(autouse=True)
def empty_context() -> None:
    """Remove the context of earlier tests."""
    reset_context()


def record(message: str = "msg_2: completed", *values: object) -> logging.LogRecord:
    made = logging.LogRecord("chat.x", logging.INFO, __file__, 1, message, values, None)
    ContextFilter().filter(made)
    return made


def test_records_contain_the_context() -> None:
    with log_context(request_id="req_1", session="ses_1"), log_context(turn=1, attempt=2, fence=3):
        line = json.loads(JSONFormatter().format(record("%s: %s", "msg_2", "completed")))
        text = TextFormatter().format(record())
    assert (line["message"], line["level"], line["logger"]) == (
        "msg_2: completed",
        "INFO",
        "chat.x",
    )
    context = {"request_id": "req_1", "session": "ses_1", "turn": 1, "attempt": 2, "fence": 3}
    assert line | context == line
    assert text == (
        "INFO chat.x: msg_2: completed [request_id=req_1 session=ses_1 turn=1 attempt=2 fence=3]"
    )


def test_records_without_context_have_no_fields() -> None:
    assert TextFormatter().format(record()) == "INFO chat.x: msg_2: completed"
    assert set(json.loads(JSONFormatter().format(record()))) == {
        *("time", "level", "logger", "message", "process")
    }


def test_attributes_of_libraries_are_ignored() -> None:
    made = record()
    made.data = {"args": "a canary"}
    assert "canary" not in JSONFormatter().format(made) + TextFormatter().format(made)


@pytest.mark.parametrize("text", ["one\nERROR two", "\x1b[2J", "a\u2028b", "\ud800"])
def test_message_is_one_line(text: str) -> None:
    for formatter in (JSONFormatter(), TextFormatter()):
        line = formatter.format(record("%s", text))
        assert line.isprintable()
        assert line.encode()


def test_traceback_of_an_invalid_request_is_not_logged() -> None:
    try:
        raise TooManyFieldsSent("Too many fields.")
    except TooManyFieldsSent:
        made = record()
        made.exc_info = sys.exc_info()
    made.name = "django.security.TooManyFieldsSent"
    assert ContextFilter().filter(made)
    assert "Traceback" not in JSONFormatter().format(made) + TextFormatter().format(made)


def test_traceback_is_logged() -> None:
    try:
        raise LookupError("nothing there")
    except LookupError:
        made = record()
        made.exc_info = sys.exc_info()
    for formatter in (JSONFormatter(), TextFormatter()):
        assert "LookupError: nothing there" in formatter.format(made)


def test_threads_have_separate_contexts() -> None:
    seen: list[str] = []
    reset_context(request_id="req_1")
    thread = Thread(target=lambda: seen.append(request_id()))
    thread.start()
    thread.join()
    assert seen == [""]
    assert request_id() == "req_1"
    reset_context()
    assert request_id() == ""


@contextmanager
def log_to_console() -> Iterator[StringIO]:
    """Log to nothing else: pytest's own handlers cannot send a surrogate to another process."""
    stream = StringIO()
    handler = ConsoleHandler(stream)
    handler.addFilter(ContextFilter())
    handler.setFormatter(JSONFormatter())
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, [handler]
    try:
        yield stream
    finally:
        root.handlers = handlers


def lines(console: StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in console.getvalue().splitlines()]


def test_lines_of_turns_are_those_of_records() -> None:
    logger = logging.getLogger("chat.x")
    with log_to_console() as console, log_context(session="ses_1", turn=1, trace_id=""):
        log_turn(logger, 'msg_2: "é\u2028\ud800')
        logger.info('msg_2: "é\u2028\ud800')
    written, expected = ({**line, "time": ""} for line in lines(console))
    assert written == expected


def test_level_of_the_logger_applies_to_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("chat.quiet"), "level", logging.WARNING)
    with log_to_console() as console:
        log_turn(logging.getLogger("chat.quiet"), "msg_2: completed")
    assert not lines(console)


def test_other_handlers_get_records_of_turns() -> None:
    records: list[str] = []
    other = logging.Handler()
    other.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    with log_to_console() as console:
        logging.getLogger().addHandler(other)
        log_turn(logging.getLogger("chat.x"), "msg_2: 100 %s")
    assert records == ["msg_2: 100 %s"]
    assert len(lines(console)) == 1
