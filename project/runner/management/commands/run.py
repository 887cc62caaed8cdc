"""`manage.py run` or `parley run`: runs all of Parley on this machine until Ctrl-C."""

import argparse
import os
import secrets
import signal
import sys
from itertools import chain

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command
from django.db import DatabaseError
from django.http.request import validate_host

from project.runner.commands import LOOPBACK
from project.runner.healthcheck import describe_redis_problem, is_port_free
from project.runner.log_output import LogOutput
from project.runner.pdeathsig import signal_on_parent_exit
from project.runner.process import ROOT
from project.runner.stack import Stage, plan
from project.runner.state_dir import StateDir, StateDirInUse
from project.runner.supervisor import Supervisor

ADMIN = "admin"
DEFAULT_PORT = 8000
PORTS = range(1, 65536)
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")

READY = """\

Parley is ready on {address} (press Ctrl-C to stop). {admin}
{model}Try:

{example}
or chat in the terminal: {command} chat{url_option}
"""

FAKE_MODEL = """\
Replies come from the fake model. Set MODEL_URL or CHAT_MODELS_FILE for another: docs/your-model.md
"""

# The README shows the same.
EXAMPLE = """\
API={url}
TOKEN=$(curl -s -X POST $API/sessions | grep -o 'ses_[^"]*\\.[^"]*')
curl -s $API/messages -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' -d '{{"content": "Hello! What can you do?"}}'
curl -sN $API/sessions/${{TOKEN%.*}}/events -H "Authorization: Bearer $TOKEN"
"""


class Command(BaseCommand):
    help = "Run Redis or Valkey, the fake model, a worker and the web on this machine."
    # The checks call Redis, which is not running yet.
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--port", default=os.environ.get("PORT") or str(DEFAULT_PORT))
        parser.add_argument("--host", default=LOOPBACK, help="address that the web listens on")
        parser.add_argument(
            "--end-with-parent", action="store_true", help="stop when the parent process ends"
        )

    def handle(self, *, port: str, host: str, end_with_parent: bool, **options: object) -> None:
        self._run(_parse_port(port), host=host, end_with_parent=end_with_parent)

    def _run(self, port: int, *, host: str, end_with_parent: bool) -> None:
        if end_with_parent and sys.platform == "linux":
            signal_on_parent_exit(signal.SIGTERM)
        if not is_port_free(port):
            raise CommandError(
                f"Port {port} is in use. Set PORT to another one, such as {port + 1}."
            )
        redis = os.environ.get("REDIS_URL")
        if redis and (problem := describe_redis_problem(redis)):
            raise CommandError(
                f"Redis at REDIS_URL {problem}. Unset REDIS_URL to start another one."
            )
        state_dir = _open_state_dir()
        try:
            stages = plan(os.environ, state_dir=state_dir, port=port, host=host)
        except FileNotFoundError as error:
            raise CommandError(str(error)) from error
        try:
            exit_code = _supervise(stages, port)
        except DatabaseError as error:  # the disk is full or read-only, or the file is locked
            raise CommandError(f"The database of staff accounts: {error}.") from error
        finally:
            state_dir.release()
        sys.exit(exit_code)


def _supervise(stages: list[Stage], port: int) -> int:
    log = LogOutput()
    call_command("migrate", verbosity=0)
    _compress_static_files(log)
    # Creates the account and shows its password, which a start that fails would lose.
    return Supervisor(log).run(stages, lambda: log.write(_ready_message(port, stages)))


def _compress_static_files(log: LogOutput) -> None:
    """Compress what has changed since the last start: 3 s if that is everything."""
    try:
        call_command("compressstatic", verbosity=0)
    except CommandError as error:  # a read-only directory
        log.write(f"Static files are sent without compression: {error}")


def _parse_port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) not in PORTS:
        raise CommandError(f"PORT: {text!r} is not a number from {PORTS[0]} to {PORTS[-1]}")
    return int(text)


def _open_state_dir() -> StateDir:
    try:
        return StateDir(settings.PARLEY_HOME)
    except StateDirInUse as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"PARLEY_HOME: {error.filename}: {error.strerror}") from error


def _create_admin() -> str:
    """Create the first account if there is none; return the message with its password."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return ""
    password = secrets.token_urlsafe(12)
    users.create_superuser(ADMIN, password=password)
    return f"Admin: user {ADMIN}, password {password} (not shown again)."


def _ready_message(port: int, stages: list[Stage]) -> str:
    url = client_url(port)
    # So a user who has set MODEL_NAME without MODEL_URL learns that it has no effect.
    model = FAKE_MODEL if any(program.name == "model" for program in chain(*stages)) else ""
    message = READY.format(
        address=f"http://127.0.0.1:{port}",
        admin=_create_admin(),
        model=model,
        example=EXAMPLE.format(url=url),
        command=".venv/bin/python manage.py" if (ROOT / ".venv").exists() else "parley",
        url_option="" if url == f"http://127.0.0.1:{DEFAULT_PORT}" else f" --url {url}",
    )
    return message.replace(" \n", "\n")


def client_url(port: int) -> str:
    """Return a URL for clients: a public one if `HTTPS` or `ALLOWED_HOSTS` reject local ones."""
    hosts: list[str] = settings.ALLOWED_HOSTS
    local = [host for host in LOOPBACK_HOSTS[:2] if not hosts or validate_host(host, hosts)]
    if local and not settings.HTTPS:
        return f"http://{local[0]}:{port}{settings.URL_PREFIX}"
    public = [host.removeprefix(".") for host in hosts if host not in {*LOOPBACK_HOSTS, "*"}]
    host = next(iter(public or LOOPBACK_HOSTS))
    return f"http{'s' if settings.HTTPS else ''}://{host}{settings.URL_PREFIX}"
