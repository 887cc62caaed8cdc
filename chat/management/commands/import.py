"""`manage.py import`: conversations of the chat fine-tuning format become sessions."""

import argparse
import shutil
import sys
import tempfile
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import orjson
from django.core.management import BaseCommand, CommandError
from tqdm import tqdm

from chat.conversation import llms
from chat.domain.errors import InvalidRequest, ParleyError
from chat.settings import chat_settings
from chat.transcripts import jsonl
from chat.transcripts.jsonl import Conversation
from chat.transcripts.restore import restore

# Lines that are complained of before the rest is only counted.
MOST_ERRORS = 20


class Command(BaseCommand):
    help = "Open a session for each line of a file in the chat fine-tuning format."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", help="- is standard input")
        parser.add_argument("--check", action="store_true", help="look only; open nothing")
        parser.add_argument("--from-line", type=int, default=1, help="leave out what is before")
        parser.add_argument("--name", default="", help="of all sessions")
        parser.add_argument("--model", help="that the sessions use; the default one otherwise")
        parser.add_argument("--ttl", type=int, default=chat_settings.SESSION_TTL, help="seconds")

    def handle(
        self,
        *,
        file: str,
        check: bool,
        from_line: int,
        name: str,
        model: str | None,
        ttl: int,
        **options: object,
    ) -> None:
        if model is not None and model not in llms.all_models():
            raise CommandError(f"There is no model {model!r} in the settings.")
        if not 1 <= ttl <= chat_settings.MAX_SESSION_TTL:
            raise CommandError(f"--ttl is from 1 to {chat_settings.MAX_SESSION_TTL} seconds.")
        with opened(file) as stream:
            self._check(stream)
            stream.seek(0)
            if not check:
                self._open(stream, from_line, name=name, model=model, ttl=ttl)

    def _check(self, stream: BinaryIO) -> None:
        """Look at all lines before the first session is opened.

        Raises:
            CommandError: any of them is not sound.
        """
        wrong = 0
        for number, found in looked_at(stream, "checked"):
            if isinstance(found, InvalidRequest):
                wrong += 1
                if wrong <= MOST_ERRORS:
                    self.stderr.write(f"line {number}: {found.message}")
        if wrong:
            noun = "line" if wrong == 1 else "lines"
            raise CommandError(f"{wrong} {noun} cannot be taken in. No session was opened.")

    def _open(
        self, stream: BinaryIO, from_line: int, *, name: str, model: str | None, ttl: int
    ) -> None:
        """Open the sessions; write the token of each, which nobody can look up later."""
        for number, found in looked_at(stream, "opened"):
            if number < from_line or isinstance(found, InvalidRequest):
                continue
            try:
                token = restore(found, name=name, model=model, ttl=ttl)
            except ParleyError as error:
                told = f"line {number}: {error.message} Go on later with --from-line {number}."
                raise CommandError(told) from error
            session_id = token.partition(".")[0]
            told = orjson.dumps({"line": number, "id": session_id, "token": token}).decode()
            self.stdout.write(told)


def looked_at(stream: BinaryIO, done: str) -> Iterator[tuple[int, Conversation | InvalidRequest]]:
    """Yield the number of each line that is not blank, and what it holds or what is wrong."""
    # Without a terminal to draw on there is no bar.
    with tqdm(unit=f" lines {done}", disable=None) as bar:
        for number, line in enumerate(lines_of(stream), start=1):
            bar.update()
            if line.strip():
                yield number, _read(line)


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines; of one that is far too long, its beginning, which is no JSON.

    A mark of UTF-8, which some editors put before a text, is no part of the first.
    """
    most = 2 * chat_settings.MAX_SESSION_BYTES
    if stream.read(len(BOM_UTF8)) != BOM_UTF8:
        stream.seek(0)
    while line := stream.readline(most):
        yield line
        while len(line) == most and not line.endswith(b"\n"):
            line = stream.readline(most)


def _read(line: bytes) -> Conversation | InvalidRequest:
    try:
        return jsonl.read(line)
    except InvalidRequest as error:
        return error


@contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """Give a file that can be read twice; standard input is put into one first.

    Raises:
        CommandError: it cannot be read.
    """
    if file == "-":
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept)
            kept.seek(0)
            yield kept
        return
    if not Path(file).is_file():
        raise CommandError(f"There is no file {file}.")
    with Path(file).open("rb") as stream:
        yield stream
