"""`manage.py export`: completed turns, in the chat fine-tuning format."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from django.core.management import BaseCommand, CommandError
from tqdm import tqdm

from chat.conversation import llms
from chat.domain import Rating
from chat.domain.errors import StoreUnavailable
from chat.transcripts import export
from chat.transcripts.export import Choice


class Command(BaseCommand):
    help = "Write completed turns as JSON lines in the chat fine-tuning format."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--output", default="-", help="a new file; standard output by default")
        parser.add_argument("--since", type=moment, help="replies of this date (UTC) or later")
        parser.add_argument("--until", type=moment, help="replies before this date")
        parser.add_argument("--model", help="replies of this model; docs/export.md tells more")
        parser.add_argument(
            "--feedback", choices=[each.value for each in Rating], help="replies that are rated so"
        )

    def handle(
        self,
        *,
        output: str,
        since: float | None,
        until: float | None,
        model: str | None,
        feedback: str | None,
        **options: object,
    ) -> None:
        if model is not None and model not in llms.all_models():
            raise CommandError(f"There is no model {model!r} in the settings.")
        rating = Rating(feedback) if feedback else None
        choice = Choice(since=since, until=until, model=model, rating=rating)
        try:
            with writing(output) as stream:
                found = write(choice, stream)
        except StoreUnavailable as error:
            raise CommandError(f"{error.message} The export is not whole.") from error
        except OSError as error:
            raise CommandError(f"{error.strerror}. The export is not whole.") from error
        noun = "conversation" if found == 1 else "conversations"
        self.stderr.write(f"{found} {noun} exported.")


def write(choice: Choice, stream: BinaryIO) -> int:
    """Write what is chosen, a line a session; return how many lines there are."""
    found = 0
    total = export.count(choice)
    # Without a terminal to draw on there is no bar.
    for line in tqdm(export.lines(choice), total=total, unit=" sessions", disable=None):
        if line:
            stream.write(line)
            found += 1
    return found


@contextmanager
def writing(output: str) -> Iterator[BinaryIO]:
    """Give a stream to write to; a file has its name once it is whole.

    Raises:
        CommandError: there is such a file, or none can be made.
    """
    if output == "-":
        try:
            yield sys.stdout.buffer
            sys.stdout.flush()
        except BrokenPipeError:
            # What is left would be tried once more when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise
        return
    target = Path(output)
    if target.exists():
        raise CommandError(f"{output} exists already.")
    partial = target.with_name(f"{target.name}.part")
    try:
        stream = partial.open("wb")
    except OSError as error:
        raise CommandError(f"{partial} cannot be written: {error.strerror}") from error
    with stream:
        yield stream
    partial.rename(target)


def moment(text: str) -> float:
    """Return a date, or date and time, UTC unless it says otherwise, in seconds of the epoch."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date like 2026-01-31") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
