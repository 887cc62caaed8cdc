"""Each URL of the admin, and who may open it: one that is added without a rule fails here."""

import re
from collections.abc import Iterable, Iterator

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.integration.admin.scene import asked, opened, page

pytestmark = pytest.mark.django_db

NAME = "secret name"
ROLES = {
    "none": (),
    "view": ("view_session",),
    "change": ("change_session",),
    "deletes blindly": ("delete_session", "redact_session", "export_session"),
    "deletes": ("view_session", "delete_session"),
    "logs": ("view_logentry",),
    "users": ("view_user",),
}
"""Kinds of staff, and their permissions."""
STAFF = frozenset(ROLES)
SEES = frozenset({"view", "change", "deletes"})
NOBODY: frozenset[str] = frozenset()
LOGS, USERS = frozenset({"logs"}), frozenset({"users"})

RULES = {
    "operations/": SEES,
    "deliveries/": SEES,
    "": STAFF,
    "logout/": STAFF,
    "password_change/": STAFF,
    "password_change/done/": STAFF,
    "autocomplete/": NOBODY,
    "jsi18n/": STAFF,
    "r/<path:content_type_id>/<path:object_id>/": NOBODY,
    "chat/session/": SEES,
    "chat/session/add/": NOBODY,
    "chat/session/<session_id>/live/": SEES,
    "chat/session/<session_id>/events/": SEES,
    "chat/session/<session_id>/webhook/": SEES,
    "chat/session/<session_id>/action/": STAFF,  # 405; test_permissions covers POST
    "chat/session/<path:object_id>/history/": SEES,
    "chat/session/<path:object_id>/delete/": frozenset({"deletes"}),
    "chat/session/<path:object_id>/change/": SEES,
    "chat/session/<path:object_id>/": STAFF,  # leads to the change page, whatever there is
    "admin/logentry/": LOGS,
    "admin/logentry/add/": NOBODY,
    "admin/logentry/<path:object_id>/history/": LOGS,
    "admin/logentry/<path:object_id>/delete/": NOBODY,
    "admin/logentry/<path:object_id>/change/": LOGS,
    "admin/logentry/<path:object_id>/": STAFF,
    "auth/user/": USERS,
    "auth/user/add/": NOBODY,
    "auth/user/<id>/password/": NOBODY,
    "auth/user/<path:object_id>/history/": USERS,
    "auth/user/<path:object_id>/delete/": NOBODY,
    "auth/user/<path:object_id>/change/": USERS,
    "auth/user/<path:object_id>/": STAFF,
    "auth/group/": NOBODY,
    "auth/group/add/": NOBODY,
    "auth/group/<path:object_id>/history/": NOBODY,
    "auth/group/<path:object_id>/delete/": NOBODY,
    "auth/group/<path:object_id>/change/": NOBODY,
    "auth/group/<path:object_id>/": STAFF,
    "^(?P<app_label>auth|chat|admin)/$": SEES,  # asked for `chat`
    "(?P<url>.*)$": NOBODY,
}
"""By the route, without `admin/`: which of the staff are not refused."""
FREE = {"login/"}
"""For everybody."""
LEADS_AWAY = {"logout/"}
"""Whoever is not signed in is led to the front page, not to the sign-in."""


def routes(patterns: Iterable[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    """Yield all routes, in full."""
    for each in patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, route)
        else:
            yield route


@pytest.fixture
def session_id(admin: Client) -> str:
    """Of a session on which staff have acted."""
    told = opened(NAME)
    asked(told, "a question")
    admin.post(page(told, "action"), {"session_action": "cancel"})
    return told


def path(route: str, session_id: str) -> str:
    """Return a path of the route that leads to something."""
    known = {
        "chat/session/": quote(session_id),
        "auth/user/": User.objects.get(username="admin").pk,
        "auth/group/": Group.objects.get_or_create(name="a group")[0].pk,
        "admin/logentry/": LogEntry.objects.get().pk,
    }
    if route.startswith("^"):
        return "/admin/chat/"
    if route.startswith("("):
        return "/admin/nothing"
    pk = next((pk for place, pk in known.items() if route.startswith(place)), 1)
    return "/admin/" + re.sub("<[^>]*>", str(pk), route)


def test_each_url_has_a_rule() -> None:
    found = [route for route in routes(get_resolver().url_patterns) if route.startswith("admin/")]
    assert sorted(route.removeprefix("admin/") for route in found) == sorted([*RULES, *FREE])


@pytest.mark.security("S10")
@pytest.mark.parametrize("role", ROLES)
def test_each_url_opens_for_whom_it_should(role: str, session_id: str) -> None:
    user = User.objects.create_user(role, is_staff=True)
    known = apps.get_model("auth", "Permission").objects
    user.user_permissions.set(known.filter(codename__in=ROLES[role]))
    client = Client()
    client.force_login(user)
    for route, may in RULES.items():
        if route == "logout/":
            continue
        answer = client.get(path(route, session_id))
        assert answer.status_code in ({200, 301, 302, 405} if role in may else {403, 404}), route
        shows_it = NAME in answer.content.decode()
        assert not shows_it or role in SEES | LOGS, route


@pytest.mark.security("S10")
def test_no_url_opens_for_who_is_not_staff(session_id: str) -> None:
    somebody = Client()
    somebody.force_login(User.objects.create_user("somebody"))
    for client in (Client(), somebody):
        for route in RULES:
            for method in (client.get, client.post):
                answer = method(path(route, session_id))
                assert answer.status_code == 302, route
                led = answer["Location"]
                assert led.startswith("/admin/login/") or route in LEADS_AWAY, route
