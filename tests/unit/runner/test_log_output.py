import io
import os
import re
from collections.abc import Iterator
from typing import IO

import pytest

from project.runner.log_output import LineReader, LogOutput
from project.runner.process import Program

WEB = Program(
    name="web",
    argv=(),
    env={},
    is_hidden=lambda line: line == "hidden",
    explain_failure=lambda line: line.partition("failed: ")[2],
    stop_timeout=1,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", 0) as reading, os.fdopen(writer, "wb", 0) as writing:
        yield reading, writing


def test_a_line_shows_its_process_and_the_time() -> None:
    stream = io.StringIO()
    LogOutput(stream).write_line("web", "started")
    assert re.fullmatch(r"\d\d:\d\d:\d\d web    \| started\n", stream.getvalue())


def test_a_terminal_shows_each_process_in_a_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    log = LogOutput(stream)
    for name in ("web", "redis", "web"):
        log.write_line(name, "started")
    first, second, third = re.findall(r"\x1b\[(\d+)m\d", stream.getvalue())
    assert first == third != second


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    LogOutput(stream).write_line("web", "started")
    assert "\x1b" not in stream.getvalue()


def test_output_is_split_into_lines(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    reading, writing = pipe
    stream = io.StringIO()
    lines = LineReader(WEB, reading, LogOutput(stream))
    for block in (b"one\ntw", b"o\nhidden\n", b"three"):
        writing.write(block)
        assert lines.read()
    writing.close()
    assert not lines.read()
    assert re.findall(r"\| (.*)", stream.getvalue()) == ["one", "two", "three"]


def test_failure_is_kept_instead_of_logged(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    reading, writing = pipe
    stream = io.StringIO()
    lines = LineReader(WEB, reading, LogOutput(stream))
    writing.write(b"failed: too old\nlast\n")
    lines.read()
    assert lines.failure == "too old"
    assert re.findall(r"\| (.*)", stream.getvalue()) == ["last"]


def test_control_characters_are_replaced(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    reading, writing = pipe
    stream = io.StringIO()
    writing.write(b"a\x1b[2Jb\rc \xe2\x82\xac \xff\n")
    LineReader(WEB, reading, LogOutput(stream)).read()
    assert stream.getvalue().endswith("| a?[2Jb?c \u20ac \ufffd\n")


def test_a_closed_pipe_is_detected(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    reading, writing = pipe
    reading.close()
    with os.fdopen(os.dup(writing.fileno()), "w") as stream:
        log = LogOutput(stream)
        log.write("first")
        assert not log.is_open
        log.write("second")
