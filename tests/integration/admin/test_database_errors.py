"""The admin's pages while its database is locked or read-only."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

pytestmark = [pytest.mark.case("C34"), pytest.mark.django_db(transaction=True)]

LOGIN = "/admin/login/"


@contextmanager
def locked() -> Iterator[None]:
    """Lock the database as another program that writes to it."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"], uri=True)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE auth_user SET first_name = 'x'")
        other.execute("UPDATE django_session SET session_data = 'x'")
        yield
        other.execute("ROLLBACK")


@contextmanager
def read_only() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
        yield
        cursor.execute("PRAGMA query_only = OFF")


@pytest.fixture
def browser() -> Client:
    get_user_model().objects.create_superuser("ada", password="staff-password")
    return Client(raise_request_exception=False)


def log_in(browser: Client) -> Any:
    form = {"username": "ada", "password": "staff-password", "next": "/admin/"}
    return browser.post(LOGIN, form)


def check(response: Any, *texts: str) -> None:
    assert response.status_code == 503
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["Retry-After"] == "5"
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
    for text in ("The database of staff accounts is unavailable.", *texts):
        assert text in response.text
    assert "Traceback" not in response.text


def test_sign_in_explains_a_locked_database(browser: Client) -> None:
    with locked():
        check(log_in(browser), "Another program is writing to it.")
    assert log_in(browser).status_code == 302


def test_sign_in_explains_a_read_only_database(browser: Client) -> None:
    with read_only():
        check(log_in(browser), "It is read-only")
    assert log_in(browser).status_code == 302


@pytest.mark.parametrize("path", ["/admin/", "/admin/operations/", "/admin/nothing/"])
def test_pages_of_signed_in_staff_explain_a_locked_database(browser: Client, path: str) -> None:
    assert log_in(browser).status_code == 302
    with locked():
        check(browser.get(path), "Another program is writing to it.")


def test_page_without_tables_names_the_command(browser: Client) -> None:
    assert log_in(browser).status_code == 302
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_session RENAME TO away")
        check(browser.get("/admin/"), "run manage.py migrate")
        cursor.execute("ALTER TABLE away RENAME TO django_session")


def test_other_exceptions_show_a_page_without_details(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.admin.login.logins.attempt", lambda **_: 1 / 0)
    response = log_in(browser)
    assert response.status_code == 500
    assert "Something went wrong." in response.text
    assert response["X-Request-ID"] in response.text
    assert "division" not in response.text
