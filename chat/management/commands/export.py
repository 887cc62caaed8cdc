"""`manage.py export`: write completed turns in the chat fine-tuning format."""

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
from chat.management.errors import message_of
from chat.operations import health
from chat.transcripts import export
from chat.transcripts.export import ExportFilter


class Command(BaseCommand):
    help = "Write completed turns as JSON lines in the chat fine-tuning format."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--output", default="-", help="a new file; default: standard output")
        parser.add_argument(
            "--since", type=timestamp, help="replies that ended on this date (UTC) or later"
        )
        parser.add_argument("--until", type=timestamp, help="replies that ended before this date")
        parser.add_argument("--model", help="replies of this model (docs/export.md)")
        parser.add_argument(
            "--feedback",
            choices=[rating.value for rating in Rating],
            help="replies with this rating",
        )
        parser.add_argument(
            "--no-files",
            action="store_true",
            help="write names instead of images and files (docs/export.md)",
        )

    def handle(
        self,
        *,
        output: str,
        since: float | None,
        until: float | None,
        model: str | None,
        feedback: str | None,
        no_files: bool,
        **options: object,
    ) -> None:
        health.exit_on_wrong_partitions(is_start=False)
        if model is not None and model not in llms.all_models():
            raise CommandError(f"Unknown model {model!r}.")
        rating = Rating(feedback) if feedback else None
        export_filter = ExportFilter(
            since=since, until=until, model=model, rating=rating, has_files=not no_files
        )
        try:
            with open_output(output) as stream:
                count = write(export_filter, stream)
        except StoreUnavailable as error:
            raise CommandError(f"{message_of(error)} The export is incomplete.") from error
        except OSError as error:
            raise CommandError(f"{error.strerror}. The export is incomplete.") from error
        noun = "conversation" if count == 1 else "conversations"
        self.stderr.write(f"{count} {noun} exported.")


def write(export_filter: ExportFilter, stream: BinaryIO) -> int:
    """Write a line per session; return the number of lines."""
    written = 0
    total = export.count(export_filter)
    # tqdm shows no bar without a terminal.
    for line in tqdm(export.lines(export_filter), total=total, unit=" sessions", disable=None):
        if line:
            stream.write(line)
            written += 1
    return written


@contextmanager
def open_output(output: str) -> Iterator[BinaryIO]:
    """Open the output for writing. A file gets its final name when it is complete.

    Raises:
        CommandError: the file exists or cannot be created.
    """
    if output == "-":
        try:
            yield sys.stdout.buffer
            sys.stdout.flush()
        except BrokenPipeError:
            # Python would flush the rest again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise
        return
    target = Path(output)
    if target.exists():
        raise CommandError(f"{output} already exists.")
    partial = target.with_name(f"{target.name}.part")
    try:
        stream = partial.open("wb")
    except OSError as error:
        raise CommandError(f"{partial} cannot be written: {error.strerror}") from error
    with stream:
        yield stream
    partial.rename(target)


def timestamp(text: str) -> float:
    """Return an ISO 8601 date or time (default UTC) as seconds since the epoch."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-01-31") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
