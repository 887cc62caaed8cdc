"""`manage.py import`: open sessions from conversations in the chat fine-tuning format."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import orjson
from django.core.management import BaseCommand, CommandError
from tqdm import tqdm

from chat.conversation import llms
from chat.domain.errors import InvalidRequest, ParleyError
from chat.operations import health
from chat.settings import chat_settings
from chat.transcripts.jsonl import Transcript
from chat.transcripts.lines import parsed_lines
from chat.transcripts.restore import restore

# Errors that are printed; the others are only counted.
MAX_ERRORS = 20


class Command(BaseCommand):
    help = "Open a session for each line of a file in the chat fine-tuning format."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", help="a file, or - for standard input")
        parser.add_argument("--check", action="store_true", help="validate only; open no session")
        parser.add_argument(
            "--from-line", type=int, default=1, help="skip the lines before this one"
        )
        parser.add_argument(
            "--skip", action="store_true", help="skip invalid lines instead of stopping"
        )
        parser.add_argument("--name", default="", help="name of the sessions")
        parser.add_argument("--model", help="model of the sessions; default: CHAT_DEFAULT_MODEL")
        parser.add_argument(
            "--ttl",
            type=int,
            default=chat_settings.SESSION_TTL,
            help="seconds that sessions live after their last activity",
        )

    def handle(
        self,
        *,
        file: str,
        check: bool,
        skip: bool,
        from_line: int,
        name: str,
        model: str | None,
        ttl: int,
        **options: object,
    ) -> None:
        if model is not None and model not in llms.all_models():
            raise CommandError(f"Unknown model {model!r}.")
        if not 1 <= ttl <= chat_settings.MAX_SESSION_TTL:
            raise CommandError(f"--ttl must be 1 to {chat_settings.MAX_SESSION_TTL} seconds.")
        with open_input(file) as stream:
            valid = self._check(stream, skip=skip)
            if check:
                self.stderr.write(f"{_conversations(valid)} valid. No session was opened.")
                return
            health.exit_on_wrong_partitions()
            stream.seek(0)
            opened = self._open(stream, from_line, name=name, model=model, ttl=ttl)
            self.stderr.write(f"{_conversations(opened)} imported.")

    def _check(self, stream: BinaryIO, *, skip: bool) -> int:
        """Validate all lines before the first session is opened; return the number of valid ones.

        Raises:
            CommandError: a line is invalid and not to be skipped, or no line is valid.
        """
        errors, valid = 0, 0
        for number, parsed in with_progress(stream, "checked"):
            valid += isinstance(parsed, Transcript)
            if isinstance(parsed, InvalidRequest):
                errors += 1
                if errors <= MAX_ERRORS:
                    self.stderr.write(f"line {number}: {parsed.message}")
        lines = f"{errors} invalid {'line' if errors == 1 else 'lines'}"
        if errors and not (skip and valid):
            raise CommandError(f"{lines}. No session was opened.")
        if not valid:
            raise CommandError("The file has no conversations. No session was opened.")
        if errors:
            self.stderr.write(f"{lines} skipped.")
        return valid

    def _open(
        self, stream: BinaryIO, from_line: int, *, name: str, model: str | None, ttl: int
    ) -> int:
        """Open the sessions and return their number.

        Their tokens, which cannot be retrieved later, are written to standard output.
        """
        count = 0
        for number, parsed in with_progress(stream, "opened"):
            if number < from_line or isinstance(parsed, InvalidRequest):
                continue
            try:
                token = restore(parsed, name=name, model=model, ttl=ttl)
            except ParleyError as error:
                message = f"line {number}: {error.message} Resume with --from-line {number}."
                raise CommandError(message) from error
            session_id = token.partition(".")[0]
            opened = {"line": number, "id": session_id, "token": token}
            self.stdout.write(orjson.dumps(opened).decode())
            count += 1
        return count


def _conversations(count: int) -> str:
    return f"{count:,} {'conversation' if count == 1 else 'conversations'}"


def with_progress(stream: BinaryIO, done: str) -> Iterator[tuple[int, Transcript | InvalidRequest]]:
    """Yield the lines, and show on a terminal how many are done."""
    # tqdm shows no bar without a terminal.
    yield from tqdm(parsed_lines(stream), unit=f" lines {done}", disable=None)


@contextmanager
def open_input(file: str) -> Iterator[BinaryIO]:
    """Open a file that can be read twice; standard input is copied to a temporary file.

    Raises:
        CommandError: the file does not exist.
    """
    if file == "-":
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            copy.seek(0)
            yield copy
        return
    if not Path(file).is_file():
        raise CommandError(f"File not parsed: {file}")
    with Path(file).open("rb") as stream:
        yield stream
