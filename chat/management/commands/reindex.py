"""`manage.py reindex`: rebuild the search index of sessions."""

from django.core.management import BaseCommand
from tqdm import tqdm

from chat.conversation import staff
from chat.management.errors import command_errors
from chat.operations import health


class Command(BaseCommand):
    help = "Rebuild the index that the admin searches sessions with. Safe to run at any time."
    requires_system_checks = ()

    def handle(self, **options: object) -> None:
        health.exit_on_wrong_partitions(is_start=False)
        with command_errors():
            # tqdm shows no bar without a terminal.
            with tqdm(total=staff.count_sessions(), unit=" sessions", disable=None) as bar:
                for indexed in staff.reindex():
                    bar.update(indexed)
            count = staff.count_sessions()
        sessions = "session" if count == 1 else "sessions"
        self.stdout.write(f"Rebuilt the search index: it has {count:,} {sessions}.")
