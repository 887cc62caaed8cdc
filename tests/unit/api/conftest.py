"""Sets up Django, because the URLs import models."""

import django
import pytest


@pytest.fixture(autouse=True, scope="session")
def django_is_set_up() -> None:
    django.setup()
