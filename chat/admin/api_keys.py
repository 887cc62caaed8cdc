"""The API keys page: create, list and revoke keys. Only superusers see it."""

import time
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from chat.accounts import api_keys
from chat.admin import records
from chat.admin.budget_rows import budget_rows
from chat.admin.errors import handle_store_errors
from chat.admin.querysets import to_datetime
from chat.domain import ApiKey, Scope
from chat.domain.errors import InvalidRequest, NotFound
from chat.operations import audit_log, key_budgets

TEMPLATE = "admin/chat/api_keys.html"
DAY = 86400
# Entries of the audit log on the page.
MAX_ENTRIES = 20


@handle_store_errors
def page(request: HttpRequest) -> HttpResponse:
    """Show the keys. POST creates one, or revokes the one that `revoke` names.

    Raises:
        PermissionDenied: the user is no superuser.
        Http404: there is no key to revoke.
    """
    if not (request.user.is_active and request.user.is_superuser):
        raise PermissionDenied
    if request.method != "POST":
        return _render(request, {})
    if "revoke" in request.POST:
        return _revoke(request, request.POST["revoke"])
    return _create(request)


def _create(request: HttpRequest) -> HttpResponse:
    """Create a key and show it: the only response that contains it."""
    form = request.POST
    try:
        text, key = api_keys.create(
            name=form.get("name", ""),
            tenant=form.get("tenant", "").strip(),
            scopes=form.getlist("scope"),
            expires_at=_expiry(form.get("days", "")),
        )
    except InvalidRequest as error:
        messages.error(request, error.message)
        return _render(request, {"form": form, "chosen": form.getlist("scope")})
    records.record(request, _label(key), "Created.", flag=ADDITION)
    return _render(request, {"new_key": text})


def _revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    try:
        key = api_keys.revoke(key_id)
    except NotFound as error:
        raise Http404 from error
    records.record(request, _label(key), "Revoked.")
    messages.success(request, f"Revoked {key.name}. It stops working within five seconds.")
    return HttpResponseRedirect(request.path)


def _expiry(days: str) -> float:
    if not days.strip():
        return 0.0
    try:
        return time.time() + float(days) * DAY
    except ValueError as error:
        raise InvalidRequest("Days must be a number.") from error


def _label(key: ApiKey) -> str:
    return f"API key {key.id} ({key.name})"


def _render(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    now = time.time()
    keys = api_keys.list_with_last_use()
    budgets = budget_rows(key_budgets.collect([key.id for key, _ in keys]))
    rows = [
        {
            "key": key,
            "budgets": [row for row in budgets if row.name.startswith(f"key {key.id} ")],
            "is_valid": key.is_valid(now),
            "created_at": to_datetime(key.created_at),
            "expires_at": to_datetime(key.expires_at),
            "revoked_at": to_datetime(key.revoked_at),
            "last_used": to_datetime(last_used),
        }
        for key, last_used in keys
    ]
    context |= {
        **admin.site.each_context(request),
        "title": "API keys",
        "rows": rows,
        "scopes": list(Scope),
        "entries": [(each, to_datetime(each.at)) for each in audit_log.newest(MAX_ENTRIES)],
    }
    headers = {"Cache-Control": "no-store"}
    return TemplateResponse(request, TEMPLATE, context, headers=headers)
