"""Budgets: what calls to models may cost in a day or month."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from chat.domain.identity import Identity
from chat.domain.prices import Price


class Scope(StrEnum):
    """Whose calls a budget limits."""

    DEPLOYMENT = "deployment"
    TENANT = "tenant"
    KEY = "key"
    USER = "user"


class Period(StrEnum):
    """When a budget is renewed, by Redis's clock in UTC."""

    DAY = "day"
    MONTH = "month"
    # Never; counts for the metrics.
    EVER = "ever"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The most that calls may cost in a period; 0 for no limit."""

    # In micro-units, see `chat.domain.prices`.
    money: int = 0
    # Of prompts and replies.
    tokens: int = 0

    def __bool__(self) -> bool:
        return bool(self.money or self.tokens)


# Limits by period.
Limits = Mapping[Period, Limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit on the calls of a deployment, a tenant, an API key or a user."""

    scope: Scope
    period: Period
    # Tenant, id of the API key or digest of the user; "" for the deployment.
    subject: str = ""
    limit: Limit = Limit()

    @property
    def name(self) -> str:
        """Return a name without white space that is unique among the budgets."""
        return f"{self.scope}:{self.period}:{self.subject}"

    @classmethod
    def from_name(cls, name: str, limit: Limit) -> Self:
        """Return the budget with this name."""
        scope, period, subject = name.split(":", 2)
        return cls(scope=Scope(scope), period=Period(period), subject=subject, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRules:
    """The budgets that the operator has configured."""

    # Of the deployment, and of every tenant, API key and user.
    each: Mapping[Scope, Limits] = field(default_factory=dict)
    # Of single tenants, API keys and users, by scope and name; they replace those of all.
    own: Mapping[tuple[Scope, str], Limits] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.each or self.own)

    def limits_of(self, *scopes: Scope) -> list[Limit]:
        """Return all limits of these scopes."""
        by_period = [limits for scope, limits in self.each.items() if scope in scopes]
        by_period += [limits for (scope, _), limits in self.own.items() if scope in scopes]
        return [limit for limits in by_period for limit in limits.values()]

    def budgets_of(self, identity: Identity) -> Iterator[Budget]:
        """Yield the budgets that a call counts towards."""
        for scope, name, subject in (
            (Scope.DEPLOYMENT, "", ""),
            (Scope.TENANT, identity.tenant, identity.tenant),
            (Scope.KEY, identity.api_key, identity.api_key),
            (Scope.USER, identity.user, identity.user_digest),
        ):
            if name or scope is Scope.DEPLOYMENT:
                limits = self.own.get((scope, name)) or self.each.get(scope, {})
                yield from budgets(scope, subject, limits)


def budgets(scope: Scope, subject: str, limits: Limits) -> Iterator[Budget]:
    """Yield the budgets of one tenant, API key or user, or of the deployment."""
    for period, limit in limits.items():
        yield Budget(scope=scope, period=period, subject=subject, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What one call may cost, reserved in all budgets that it counts towards."""

    # `<session id>:<nonce of the claim>`
    id: str
    # Names of the budgets.
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """What a call to a model may use."""

    reservation: Reservation
    price: Price
    # Of the prompt, estimated.
    prompt_tokens: int
    # Of the reply.
    max_tokens: int
    # Seconds after which it has ended.
    lasts: float

    @property
    def max_cost(self) -> int:
        return self.price.max_cost(prompt=self.prompt_tokens, completion=self.max_tokens)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.max_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRefusal:
    """A budget that has too little left for a call."""

    scope: Scope
    period: Period
    # Seconds until the end of the period.
    seconds: float
    # Seconds since the epoch.
    ends_at: float
    # Whether calls in progress have reserved what is missing. Some of it is free when they end.
    is_reserved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """What a budget has left; money in micro-units."""

    budget: Budget
    spent: int
    tokens: int
    # Of calls in progress.
    reserved: int
    reserved_tokens: int
    # The part of `spent` and `tokens` that no worker has reported, because it was lost.
    lost: int
    lost_tokens: int
    # Seconds since the epoch; 0 for `Period.EVER`.
    ends_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceededBudget:
    """A budget that has too little left for any call, until its period ends."""

    budget: Budget
    # Milliseconds since the epoch, by Redis's clock.
    ends_at: int

    @property
    def line(self) -> str:
        """Return what the scripts that accept turns read, see `lua/lib/exceeded_budgets.lua`."""
        scope, period, subject = self.budget.scope, self.budget.period, self.budget.subject
        owner = f"{scope}:{subject}" if subject else scope
        return f"{owner} {self.ends_at} {scope}:{period}"


def exceeded_message(scope: Scope, period: Period, ends_at: float) -> str:
    """Return what clients and staff read about an exceeded budget."""
    whose = "this service" if scope is Scope.DEPLOYMENT else f"your {_NAMES[scope]}"
    end = datetime.fromtimestamp(ends_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"The {_ADJECTIVES[period]} budget of {whose} is used up until {end}."


_NAMES = {Scope.TENANT: "organization", Scope.KEY: "API key", Scope.USER: "account"}
_ADJECTIVES = {Period.DAY: "daily", Period.MONTH: "monthly"}
