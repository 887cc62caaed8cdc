"""`manage.py unblock MODEL`: allow calls to a model at once."""

from django.core.management import BaseCommand, CommandParser

from chat.conversation import llms
from chat.management.actor import actor
from chat.management.errors import command_errors
from chat.operations import audit_log


class Command(BaseCommand):
    help = "End a model's Retry-After and close its circuit, so that all sessions may call it."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="its name in Parley")

    def handle(self, *, model: str, **options: object) -> None:
        with command_errors():
            llms.unblock(model)
            audit_log.record(actor=actor(), action="Unblocked.", target=f"model {model}")
        self.stdout.write(f"Unblocked the model {model}.")
