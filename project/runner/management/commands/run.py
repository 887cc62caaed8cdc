"""`manage.py run`: all of Parley on this machine, until Ctrl-C."""

import argparse
import os
import secrets
import signal
import sys
from itertools import chain

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command

from project.runner.healthcheck import answers, port_is_free
from project.runner.log_output import Journal
from project.runner.pdeathsig import die_with_parent
from project.runner.stack import Stage, plan
from project.runner.state_dir import Home, HomeInUse
from project.runner.supervisor import Supervisor

ADMIN = "admin"
DEFAULT_PORT = 8000
PORTS = range(1, 65536)

READY = """\

Parley is ready on {url} (Ctrl-C ends it). {admin}
{model}Try:

{example}

or chat in the terminal: .venv/bin/python manage.py chat{elsewhere}
"""

DEV_MODEL = """\
Replies come from the dev model: MODEL_URL or CHAT_MODELS_FILE names another (docs/your-model.md).
"""

EXAMPLE = """\
P={url}; J='Content-Type: application/json'
T=$(curl -s $P/sessions -H "$J" -d '{{}}' | sed 's/.*"token": *"\\([^"]*\\)".*/\\1/')
A="Authorization: Bearer $T"
L=$(curl -si $P/messages -H "$A" -H "$J" -d '{{"content": "Hello! What can you do?"}}' |
  tr -d '\\r' | sed -n 's/^[Ll]ocation: //p')
until curl -s $P$L -H "$A" | grep '"completed"'; do sleep 0.2; done"""


class Command(BaseCommand):
    help = "Run Redis, the dev model, a worker and the web on this machine."
    # Redis, which the checks ask, is not up yet.
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--port", default=os.environ.get("PORT") or str(DEFAULT_PORT))
        parser.add_argument(
            "--end-with-parent", action="store_true", help="end when the caller is killed"
        )

    def handle(self, *, port: str, end_with_parent: bool, **options: object) -> None:
        self._run(_port(port), end_with_parent=end_with_parent)

    def _run(self, port: int, *, end_with_parent: bool) -> None:
        if end_with_parent and sys.platform == "linux":
            die_with_parent(signal.SIGTERM)
        if not port_is_free(port):
            raise CommandError(f"Port {port} is in use. Choose another: make run PORT={port + 1}")
        if (redis := os.environ.get("REDIS_URL")) and not answers(redis):
            raise CommandError(
                "No Redis answers at REDIS_URL, or not with its password."
                " Unset it to have one started."
            )
        home = _home()
        try:
            stages = plan(os.environ, home=home, port=port)
        except FileNotFoundError as error:
            raise CommandError(str(error)) from error
        journal = Journal()
        call_command("migrate", verbosity=0)
        # The account is made last: whoever meets a start that fails would never see its password.
        ended = Supervisor(journal).run(stages, lambda: journal.plain(_welcome(port, stages)))
        home.release()
        sys.exit(ended)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in PORTS:
        raise CommandError(f"PORT: {text!r} is not a number from {PORTS[0]} to {PORTS[-1]}")
    return int(text)


def _home() -> Home:
    try:
        return Home(settings.PARLEY_HOME)
    except HomeInUse as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"PARLEY_HOME: {error.filename}: {error.strerror}") from error


def _first_account() -> str:
    """Make the first account if there is none; return what to say of it, once."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return ""
    password = secrets.token_urlsafe(12)
    users.create_superuser(ADMIN, password=password)
    return f"Admin: user {ADMIN}, password {password} (not shown again)."


def _welcome(port: int, stages: list[Stage]) -> str:
    url = f"http://127.0.0.1:{port}"
    example = EXAMPLE.format(url=url)
    elsewhere = "" if port == DEFAULT_PORT else f" --url {url}"
    # Or a MODEL_NAME without its URL would be passed over without a word.
    model = DEV_MODEL if any(program.name == "model" for program in chain(*stages)) else ""
    ready = READY.format(
        url=url, admin=_first_account(), model=model, example=example, elsewhere=elsewhere
    )
    return ready.replace(" \n", "\n")
