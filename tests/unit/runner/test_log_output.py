"""One log: whose line, when, and nothing that steers a terminal."""

import io
import os
import re
from collections.abc import Iterator
from typing import IO

import pytest

from project.runner.log_output import Journal, Lines


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", 0) as out, os.fdopen(writer, "wb", 0) as into:
        yield out, into


def test_a_line_names_its_process_and_the_time() -> None:
    stream = io.StringIO()
    Journal(stream).line("web", "started")
    assert re.fullmatch(r"\d\d:\d\d:\d\d web    \| started\n", stream.getvalue())


def test_a_terminal_sees_a_colour_for_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    journal = Journal(stream)
    for name in ("web", "redis", "web"):
        journal.line(name, "started")
    first, second, third = re.findall(r"\x1b\[(\d+)m\d", stream.getvalue())
    assert first == third != second


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    Journal(stream).line("web", "started")
    assert "\x1b" not in stream.getvalue()


def test_output_is_cut_into_lines_however_it_arrives(
    pipe: tuple[IO[bytes], IO[bytes]],
) -> None:
    out, into = pipe
    stream = io.StringIO()
    lines = Lines("web", out, Journal(stream))
    for block in (b"one\ntw", b"o\n", b"three"):
        into.write(block)
        assert lines.read()
    into.close()
    assert not lines.read()
    assert re.findall(r"\| (.*)", stream.getvalue()) == ["one", "two", "three"]


def test_what_would_steer_a_terminal_is_shown_as_a_question_mark(
    pipe: tuple[IO[bytes], IO[bytes]],
) -> None:
    out, into = pipe
    stream = io.StringIO()
    into.write(b"a\x1b[2Jb\rc \xe2\x82\xac \xff\n")
    Lines("web", out, Journal(stream)).read()
    assert stream.getvalue().endswith("| a?[2Jb?c \u20ac \ufffd\n")


def test_a_reader_who_has_gone_is_noticed(pipe: tuple[IO[bytes], IO[bytes]]) -> None:
    out, into = pipe
    out.close()
    with os.fdopen(os.dup(into.fileno()), "w") as stream:
        journal = Journal(stream)
        journal.plain("anybody?")
        assert not journal.heard
        journal.plain("nobody")
