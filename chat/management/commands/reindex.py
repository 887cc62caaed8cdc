"""`manage.py reindex`: have sessions that an earlier version opened found by name and model."""

from django.core.management import BaseCommand, CommandError
from tqdm import tqdm

from chat.conversation import staff
from chat.domain.errors import ParleyError


class Command(BaseCommand):
    help = "Note anew what the admin's list searches sessions by. It may be run at any time."
    requires_system_checks = ()

    def handle(self, **options: object) -> None:
        try:
            # Without a terminal to draw on there is no bar.
            with tqdm(total=staff.count(), unit=" sessions", disable=None) as bar:
                for noted in staff.reindex():
                    bar.update(noted)
        except ParleyError as error:
            raise CommandError(error.message) from error
