"""Every URL of the admin and who may open it. A new URL without a rule fails the tests."""

import re
from collections.abc import Iterable, Iterator

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group, User
from django.test import Client
from django.test.utils import override_script_prefix
from django.urls import URLPattern, URLResolver, get_resolver

from tests.integration.admin.sessions import open_session, post_message, session_path

pytestmark = pytest.mark.django_db

NAME = "secret name"
# Permissions of each kind of staff user.
ROLES = {
    "none": (),
    "view": ("view_session",),
    "change": ("change_session",),
    "delete without view": ("delete_session", "redact_session", "export_session"),
    "delete": ("view_session", "delete_session"),
    "log": ("view_logentry",),
    "user": ("view_user",),
}
STAFF = frozenset(ROLES)
VIEWERS = frozenset({"view", "change", "delete"})
NOBODY: frozenset[str] = frozenset()
LOG_VIEWERS, USER_VIEWERS = frozenset({"log"}), frozenset({"user"})

# Route, without `admin/` -> the staff users who may open it.
RULES = {
    "operations/": VIEWERS,
    "operations/history/": VIEWERS,
    "feedback/": VIEWERS,
    "user/": NOBODY,  # 404 without a user; see test_users
    "deliveries/": VIEWERS,
    "bans/": frozenset({"delete"}),
    "api-keys/": NOBODY,  # but superusers
    "": STAFF,
    "logout/": STAFF,
    "password_change/": STAFF,
    "password_change/done/": STAFF,
    "autocomplete/": NOBODY,
    "jsi18n/": STAFF,
    "r/<path:content_type_id>/<path:object_id>/": NOBODY,
    "chat/session/": VIEWERS,
    "chat/session/add/": NOBODY,
    "chat/session/import/": NOBODY,  # but superusers
    "chat/session/<session_id>/live/": VIEWERS,
    "chat/session/<session_id>/events/": VIEWERS,
    "chat/session/<session_id>/webhook/": VIEWERS,
    "chat/session/<session_id>/action/": STAFF,  # 405; test_permissions covers POST
    "chat/session/<path:object_id>/history/": VIEWERS,
    "chat/session/<path:object_id>/delete/": frozenset({"delete"}),
    "chat/session/<path:object_id>/change/": VIEWERS,
    "chat/session/<path:object_id>/": STAFF,  # redirects to the change page, even for unknown ids
    "admin/logentry/": LOG_VIEWERS,
    "admin/logentry/add/": NOBODY,
    "admin/logentry/<path:object_id>/history/": LOG_VIEWERS,
    "admin/logentry/<path:object_id>/delete/": NOBODY,
    "admin/logentry/<path:object_id>/change/": LOG_VIEWERS,
    "admin/logentry/<path:object_id>/": STAFF,
    "auth/user/": USER_VIEWERS,
    "auth/user/add/": NOBODY,
    "auth/user/<id>/password/": NOBODY,
    "auth/user/<path:object_id>/history/": USER_VIEWERS,
    "auth/user/<path:object_id>/delete/": NOBODY,
    "auth/user/<path:object_id>/change/": USER_VIEWERS,
    "auth/user/<path:object_id>/": STAFF,
    "auth/group/": NOBODY,
    "auth/group/add/": NOBODY,
    "auth/group/<path:object_id>/history/": NOBODY,
    "auth/group/<path:object_id>/delete/": NOBODY,
    "auth/group/<path:object_id>/change/": NOBODY,
    "auth/group/<path:object_id>/": STAFF,
    "^(?P<app_label>auth|chat|admin)/$": VIEWERS,  # tested with `chat`
    "(?P<url>.*)$": NOBODY,
}
# Open to everyone.
PUBLIC = {"login/"}
# Redirects to the front page instead of the login.
REDIRECTS = {"logout/"}


def routes(patterns: Iterable[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """Yield all routes, with their prefixes."""
    for each in patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, route)
        else:
            yield route


@pytest.fixture
def session_id(admin: Client) -> str:
    """Return the id of a session with a log entry."""
    opened = open_session(NAME)
    post_message(opened)
    admin.post(session_path(opened, "action"), {"session_action": "cancel"})
    return opened


def path(route: str, session_id: str) -> str:
    """Return a path for the route, with the id of an existing object."""
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
    pk = next((pk for prefix, pk in known.items() if route.startswith(prefix)), 1)
    return "/admin/" + re.sub("<[^>]*>", str(pk), route)


def test_every_url_has_a_rule() -> None:
    found = [route for route in routes(get_resolver().url_patterns) if route.startswith("admin/")]
    ours_and_djangos = [""]  # the front page has two routes
    known = sorted([*RULES, *PUBLIC, *ours_and_djangos])
    assert sorted(route.removeprefix("admin/") for route in found) == known


@pytest.mark.security("S10")
@pytest.mark.parametrize("role", ROLES)
def test_staff_can_open_exactly_the_permitted_urls(role: str, session_id: str) -> None:
    user = User.objects.create_user(role, is_staff=True)
    known = apps.get_model("auth", "Permission").objects
    user.user_permissions.set(known.filter(codename__in=ROLES[role]))
    client = Client()
    client.force_login(user)
    for route, allowed in RULES.items():
        if route == "logout/":
            continue
        response = client.get(path(route, session_id))
        expected = {200, 301, 302, 405} if role in allowed else {403, 404}
        assert response.status_code in expected, route
        shows_name = NAME in response.content.decode()
        assert not shows_name or role in VIEWERS | LOG_VIEWERS, route


@pytest.mark.security("S10")
def test_no_url_opens_for_other_users(session_id: str) -> None:
    customer = Client()
    customer.force_login(User.objects.create_user("customer"))
    for client in (Client(), customer):
        for route in RULES:
            for method in (client.get, client.post):
                response = method(path(route, session_id))
                assert response.status_code == 302, route
                target = response["Location"]
                assert target.startswith("/admin/login/") or route in REDIRECTS, route


@pytest.mark.parametrize("prefix", ["/", "/chat/"])
def test_view_site_leads_to_the_chat_page(admin: Client, prefix: str) -> None:
    with override_script_prefix(prefix):
        page = admin.get("/admin/operations/", SCRIPT_NAME=prefix.rstrip("/")).content.decode()
    assert f'<a href="{prefix}">View site</a>' in page
