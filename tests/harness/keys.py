"""API keys of a running installation."""

from collections.abc import Mapping, Sequence

from tests.harness.run_module import run_module


def create_key(
    env: Mapping[str, str], *, tenant: str = "shop", scopes: Sequence[str] = ("sessions", "users")
) -> str:
    """Return a new key of the installation with this environment.

    By default, it may open sessions of users.
    """
    options = [option for scope in scopes for option in ("--scope", scope)]
    code, output = run_module(
        "manage", "apikey", "create", "test", "--tenant", tenant, *options, env=env
    )
    assert code == 0, output
    return next(word for word in output.split() if word.startswith("pk_"))
