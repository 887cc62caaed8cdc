"""`manage.py compressstatic`: compresses the static files before the first request."""

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from project.server import compressed_files


class Command(BaseCommand):
    help = "Write compressed copies of the static files into staticfiles/; web processes send them."
    # The checks call Redis, which an image's build does not have.
    requires_system_checks = ()

    def handle(self, **options: object) -> None:
        try:
            count = compressed_files.compress()
        except OSError as error:
            raise CommandError(f"{settings.STATIC_ROOT}: {error.strerror}") from error
        if int(str(options["verbosity"])) > 0:
            self.stdout.write(f"{count} files written.")
