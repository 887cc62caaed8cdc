"""Secret keys: what can be guessed is told from what cannot."""

import secrets
import string
from collections.abc import Callable

import pytest

from project.secret_keys import weakness
from tests.unit.test_production import KEY


@pytest.mark.security("S34")
@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "fewer than 50 characters"),
        ("changeme", "fewer than 50 characters"),
        ("0123456789" * 4, "fewer than 50 characters"),
        (f"django-insecure-{KEY}", "example"),
        (f"change-me-{KEY}", "example"),
        ("x" * 60, "different characters"),
        ("abcdefgh" * 8, "different characters"),
        ("aB3$eF7!" * 9, "different characters"),
        ("0123456789" * 6, "pattern"),
        ("0123456789abcdef" * 4, "pattern"),
        ("kX9vQ2mZ7pL4wR8t" * 4, "pattern"),
        ("kX9vQ2mZ7pL4wR8t" * 3 + "kX9vQ2", "pattern"),
        (string.ascii_letters, "pattern"),
        (string.ascii_letters[::-1], "pattern"),
        ("qwertyuiopasdfghjklzxcvbnm" * 2, "pattern"),
        ("a1" * 20 + "b2c3d4e5f6", "pattern"),
    ],
)
def test_a_key_that_can_be_guessed_is_weak(key: str, why: str) -> None:
    assert why in weakness(key)


@pytest.mark.parametrize(
    "make",
    [
        lambda: secrets.token_urlsafe(50),
        lambda: secrets.token_urlsafe(38),
        lambda: secrets.token_hex(32),
        lambda: "".join(secrets.choice(string.ascii_lowercase) for _ in range(50)),
    ],
)
def test_a_key_of_chance_is_not(make: Callable[[], str]) -> None:
    assert [weakness(make()) for _ in range(200)] == [""] * 200
