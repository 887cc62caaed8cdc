"""What the operator decides instead of clients: of a model, or of an API key."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chat.domain.errors import InvalidRequest, NotAllowed
from chat.domain.llm import Options

OPTION_NAMES = tuple(asdict(Options()))
# Options that have a maximum.
NUMBERS = ("max_tokens", "temperature", "top_p")
# The options that clients may set, and the maximum of each; `True` for no maximum.
ClientOptions = Mapping[str, float | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of an API key for the sessions that it opens. By default there are none."""

    # Prompt of all sessions; "" lets clients set their own.
    system_prompt: str = ""
    # Models that the sessions may use; empty for all.
    models: tuple[str, ...] = ()
    # `None` lets clients set all options.
    client_options: ClientOptions | None = None


# The rules of clients that have none.
NO_POLICY = Policy()


def check_options(options: Options, allowed: ClientOptions | None) -> None:
    """Check the options of a client.

    Raises:
        NotAllowed: clients may not set one of them.
        InvalidRequest: one of them exceeds its maximum.
    """
    if allowed is None:
        return
    for name, value in asdict(options).items():
        if value in (None, ()):
            continue
        param, limit = f"options.{name}", allowed.get(name)
        if limit is None:
            raise NotAllowed("Clients may not set this option.", param=param)
        if limit is not True and value > limit:
            raise InvalidRequest(f"{name} must be at most {limit:g}.", param=param)


def allowed_options(options: Options, allowed: ClientOptions | None) -> Options:
    """Return the options that clients may set, each with at most its maximum."""
    if allowed is None:
        return options
    limited: dict[str, Any] = {}
    for name in OPTION_NAMES:
        value, limit = getattr(options, name), allowed.get(name)
        if value is not None and limit is not None:
            limited[name] = value if limit is True else min(value, limit)
    return Options(**limited)


def option_problem(allowed: Mapping[str, object]) -> str:
    """Return what is wrong with configured client options, or ""."""
    for name, limit in allowed.items():
        if name not in OPTION_NAMES:
            return f"unknown option {name!r}; use {', '.join(OPTION_NAMES)}"
        if limit is True:
            continue
        is_number = isinstance(limit, int | float) and not isinstance(limit, bool)
        if name not in NUMBERS or not is_number or not float(str(limit)) > 0:
            return f"{name} must be true" + (" or a number above 0" if name in NUMBERS else "")
    return ""
