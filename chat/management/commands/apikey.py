"""`manage.py apikey create|list|revoke`: API keys."""

import argparse
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.management import BaseCommand, CommandError

from chat.accounts import api_keys, budgets
from chat.conversation import llms
from chat.domain import ApiKey, Scope
from chat.domain.budgets import Limit, Period
from chat.domain.policy import Policy
from chat.domain.prices import MICRO, to_micro_units
from chat.management.actor import actor
from chat.management.errors import command_errors
from chat.operations import audit_log

DAY = 86400


class Command(BaseCommand):
    help = "Create, list and revoke API keys."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="create a key and print it once")
        create.add_argument("name", help="what the key is for, such as `shop backend`")
        create.add_argument(
            "--tenant", default="", help="whose sessions it may use; default: only its own"
        )
        create.add_argument(
            "--scope",
            action="append",
            choices=[scope.value for scope in Scope],
            default=[],
            help="sessions (default): of the tenant; users: act for one user (Parley-User)",
        )
        create.add_argument(
            "--days", type=float, default=0, help="days until it expires; default: never"
        )
        create.add_argument(
            "--system-prompt", default="", help="of all its sessions; clients may not set another"
        )
        create.add_argument(
            "--model", action="append", default=[], help="a model that it may use; default: all"
        )
        create.add_argument(
            "--option",
            action="append",
            default=None,
            help="an option that clients may set, with its maximum, such as max_tokens=500, or a"
            " name alone; `none` for no options; default: all",
        )
        budget = actions.add_parser("budget", help="limit what calls to models may cost")
        budget.add_argument("id", help="the part between the two underscores")
        for name in ("--day", "--month"):
            budget.add_argument(name, type=float, default=0.0, help="money; 0 for no limit")
        for name in ("--day-tokens", "--month-tokens"):
            budget.add_argument(name, type=int, default=0, help="tokens; 0 for no limit")
        actions.add_parser("list", help="list all keys")
        revoke = actions.add_parser("revoke", help="revoke a key within seconds")
        revoke.add_argument("id", help="the part between the two underscores")

    def handle(self, *, action: str, **options: object) -> None:
        with command_errors():
            getattr(self, action)(options)

    def create(self, options: dict[str, object]) -> None:
        days = float(str(options["days"]))
        if days < 0:
            raise CommandError("--days must not be negative.")
        scopes = options["scope"]
        assert isinstance(scopes, list)  # noqa: S101  # of argparse
        text, key = api_keys.create(
            name=str(options["name"]),
            tenant=str(options["tenant"]),
            scopes=scopes,
            expires_at=time.time() + days * DAY if days else 0.0,
            policy=Policy(
                system_prompt=str(options["system_prompt"]),
                models=tuple(_models(options["model"])),
                client_options=_client_options(options["option"]),
            ),
        )
        _record("Created.", key)
        self.stderr.write("Keep this key; it is not shown again:")
        self.stdout.write(text)

    def budget(self, options: dict[str, Any]) -> None:
        limits = {
            period: Limit(money=to_micro_units(options[period]), tokens=options[f"{period}_tokens"])
            for period in (Period.DAY, Period.MONTH)
        }
        if any(limit.money < 0 or limit.tokens < 0 for limit in limits.values()):
            raise CommandError("Limits must not be negative.")
        key = budgets.set_key_limits(
            options["id"], {period: limit for period, limit in limits.items() if limit}
        )
        _record(f"Set the budgets: {_format(limits)}.", key)
        self.stdout.write(f"Set the budgets of the API key {options['id']}.")

    def list(self, _: dict[str, object]) -> None:
        for key, last_used in api_keys.list_with_last_use():
            ends = f"revoked {_day(key.revoked_at)}" if key.revoked_at else "valid"
            if key.expires_at and not key.revoked_at:
                ends = f"until {_day(key.expires_at)}"
            tenant = key.tenant or "-"
            used = f"used {_day(last_used)}" if last_used else "never used"
            self.stdout.write(
                "\t".join((key.id, key.name, tenant, ",".join(key.scopes), ends, used))
            )

    def revoke(self, options: dict[str, object]) -> None:
        key = api_keys.revoke(str(options["id"]))
        _record("Revoked.", key)
        self.stdout.write(f"Revoked the API key {key.id} ({key.name}).")


def _record(action: str, key: ApiKey) -> None:
    audit_log.record(actor=actor(), action=action, target=f"API key {key.id} ({key.name})")


def _format(limits: Mapping[Period, Limit]) -> str:
    amounts = [
        text
        for period, limit in limits.items()
        for text in (
            f"{limit.money / MICRO:g} per {period}" if limit.money else "",
            f"{limit.tokens} tokens per {period}" if limit.tokens else "",
        )
        if text
    ]
    return ", ".join(amounts) or "none"


def _models(names: Any) -> Iterator[str]:
    for name in names:
        yield llms.get(name).name


def _client_options(texts: Any) -> dict[str, float | bool] | None:
    if texts is None:
        return None
    allowed: dict[str, float | bool] = {}
    for text in texts:
        name, _, limit = text.partition("=")
        try:
            allowed[name] = float(limit) if limit else True
        except ValueError:
            raise CommandError(f"--option {text}: the maximum must be a number.") from None
    return {} if allowed == {"none": True} else allowed


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
