"""Every error that Parley raises on purpose, each with a stable public `code`.

    ParleyError
    ├── BadInput                  what was sent cannot be accepted
    │   ├── UnknownModel
    │   ├── ForbiddenURL
    │   ├── IdempotencyMismatch
    │   ├── HeadTooLarge
    │   ├── BodyTooLarge
    │   ├── BodyIncomplete
    │   ├── UnsupportedMediaType
    │   ├── MethodNotAllowed
    │   └── InvalidHost
    ├── NotAllowed                who asks may not
    │   ├── InvalidToken
    │   ├── AuthTimeout
    │   └── SessionExpired
    ├── NotFound                  no such thing, or not the caller's
    │   ├── SessionNotFound
    │   └── MessageNotFound
    ├── Conflict                  the state forbids it now
    │   ├── SessionBusy
    │   ├── NotRegenerable
    │   └── NotRateable
    ├── Refused                   try again later
    │   ├── RateLimited
    │   ├── TokenBudgetSpent
    │   ├── InboxFull
    │   ├── QueueFull
    │   ├── SessionFull
    │   └── StoreUnavailable
    │       └── StoreFull
    ├── SlowReader                a follower has fallen too far behind
    ├── BrokerUnavailable         a wake-up cannot be sent; the sweep makes up for it
    ├── TurnLost                  the worker no longer holds the turn
    │   ├── LeaseLost
    │   └── SessionGone
    ├── ProviderError             the model did not answer as hoped
    │   ├── ModelRateLimited
    │   ├── ModelLoading
    │   ├── ModelUnavailable
    │   │   └── ModelUntrusted
    │   ├── ModelTimeout
    │   ├── BadModelReply
    │   ├── ModelRefused
    │   ├── ContextTooLong
    │   ├── DeadlineExceeded
    │   └── UpstreamClosed
    └── ConfigError               the settings name something impossible

An error's message defaults to the first line of its docstring. No HTTP status stands here:
`chat.api.exception_handler` maps codes to statuses.
"""

from chat.domain.errors.base import ParleyError
from chat.domain.errors.config import ConfigError
from chat.domain.errors.limits import (
    InboxFull,
    QueueFull,
    RateLimited,
    Refused,
    SessionFull,
    SlowReader,
    StoreFull,
    StoreUnavailable,
    TokenBudgetSpent,
)
from chat.domain.errors.provider import (
    BadModelReply,
    ContextTooLong,
    DeadlineExceeded,
    ModelLoading,
    ModelRateLimited,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    ModelUntrusted,
    ProviderError,
    UpstreamClosed,
)
from chat.domain.errors.requests import (
    AuthTimeout,
    BadInput,
    BodyIncomplete,
    BodyTooLarge,
    Conflict,
    ForbiddenURL,
    HeadTooLarge,
    IdempotencyMismatch,
    InvalidHost,
    InvalidToken,
    MessageNotFound,
    MethodNotAllowed,
    NotAllowed,
    NotFound,
    NotRateable,
    NotRegenerable,
    SessionBusy,
    SessionExpired,
    SessionNotFound,
    UnknownModel,
    UnsupportedMediaType,
)
from chat.domain.errors.worker import BrokerUnavailable, LeaseLost, SessionGone, TurnLost

__all__ = [
    "AuthTimeout",
    "BadInput",
    "BadModelReply",
    "BodyIncomplete",
    "BodyTooLarge",
    "BrokerUnavailable",
    "ConfigError",
    "Conflict",
    "ContextTooLong",
    "DeadlineExceeded",
    "ForbiddenURL",
    "HeadTooLarge",
    "IdempotencyMismatch",
    "InboxFull",
    "InvalidHost",
    "InvalidToken",
    "LeaseLost",
    "MessageNotFound",
    "MethodNotAllowed",
    "ModelLoading",
    "ModelRateLimited",
    "ModelRefused",
    "ModelTimeout",
    "ModelUnavailable",
    "ModelUntrusted",
    "NotAllowed",
    "NotFound",
    "NotRateable",
    "NotRegenerable",
    "ParleyError",
    "ProviderError",
    "QueueFull",
    "RateLimited",
    "Refused",
    "SessionBusy",
    "SessionExpired",
    "SessionFull",
    "SessionGone",
    "SessionNotFound",
    "SlowReader",
    "StoreFull",
    "StoreUnavailable",
    "TokenBudgetSpent",
    "TurnLost",
    "UnknownModel",
    "UnsupportedMediaType",
    "UpstreamClosed",
]
