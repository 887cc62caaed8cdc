"""Parley's knobs and models: what they mean, their units, and how they are read at start.

Every knob is a Django setting `CHAT_<NAME>` and, through `project/settings.py`, an environment
variable of the same name. The shape (a class whose attributes are the defaults) is borrowed from
procrastinate's `contrib/django/settings.py`.
"""

import base64
import dataclasses
import tomllib
from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from django.conf import settings
from django.core.signals import setting_changed

from chat.domain import Model, OrZero, Timeouts
from chat.errors import ConfigError

PREFIX = "CHAT_"
SECRET_PREFIX = "whsec_"  # noqa: S105  # the start of every one, by the standard
SECRET_BYTES = range(24, 65)
"""Lengths that Standard Webhooks allows."""
BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}

T = TypeVar("T")


class Knobs:
    """The knobs and their defaults; `knobs` gives the Django setting where it is set.

    A number is more than 0, but for one that is marked `OrZero`.
    """

    PARTITIONS: int = 16
    """Hash slots that sessions are spread over; fixed for the life of a deployment."""

    SESSION_TTL: int = 3600
    """Seconds that a session lives after its last activity."""
    SESSION_TTL_MAX: int = 30 * 86400
    """Most seconds that a client may ask for as `ttl`."""
    SESSION_MAX_AGE: int = 30 * 86400
    """Seconds after its creation at which a session ends, however active."""
    KEY_MARGIN: int = 86400
    """Seconds that keys outlive their session if no worker sweeps; the net below the sweep."""

    CONTENT_BYTES: int = 32 * 1024
    """Most UTF-8 bytes of a message's content."""
    CONTENT_CHARS: int = 32 * 1024
    """Most code points of a message's content."""
    BODY_BYTES: int = 64 * 1024
    """Most bytes of a request body."""
    BODY_TIMEOUT: float = 10.0
    """Seconds within which a request's head, and then its body, must have arrived."""
    COMMENT_CHARS: int = 2000
    """Most code points of a comment on a reply."""
    REPLY_BYTES: int = 1024 * 1024
    """Most UTF-8 bytes of a reply; a longer one is cut and ends as `incomplete`."""
    SESSION_BYTES: int = 64 * 1024 * 1024
    """Most bytes of content that one session holds."""
    METADATA_BYTES: int = 4 * 1024
    """Most bytes of a session's metadata as JSON."""

    INBOX_SIZE: int = 20
    """Most turns of one session that wait."""
    QUEUE_SIZE: int = 10_000
    """Most turns that wait overall; counted per partition, an equal share each."""
    MESSAGES_PER_MINUTE: OrZero[int] = 60
    """Messages that one session may post a minute; 0 sets no bound."""
    MESSAGES_BURST: int = 20
    """How many of them may come at once."""
    SESSION_TOKENS_PER_HOUR: OrZero[int] = 0
    """Tokens that one session may take in an hour, prompts and replies of all attempts, before it
    may post no more; 0 sets no bound."""
    SESSIONS_PER_MINUTE: OrZero[int] = 60
    """Sessions that one address may open a minute; 0 sets no bound."""
    SESSIONS_BURST: int = 30
    """How many of them may come at once."""

    TURN_DEADLINE: int = 900
    """Seconds from acceptance within which a turn must be over, unless the client asks for less."""
    MAX_ATTEMPTS: int = 4
    """Most tries at one turn."""
    LEASE: float = 10.0
    """Seconds that a claim stands without a sign of life from its worker."""
    HEARTBEAT: float = 1.0
    """Seconds between two signs of life of a running turn that has no new text."""
    FLUSH: float = 0.05
    """Seconds between two flushes of what the streams of a worker have gathered."""
    GRACE: float = 2.0
    """Seconds after which a turn that nobody has taken is woken again."""
    SWEEP: float = 1.0
    """Seconds between two looks of a worker at what is due."""
    SWEEP_BATCH: int = 100
    """Most due sessions of a partition that one look takes on."""
    DRAIN: OrZero[float] = 20.0
    """Seconds that a stopping worker lets its streams go on before it hands them back; 0 does it at
    once."""
    CIRCUIT_FAILURES: int = 5
    """Sessions whose calls to a model fail, while nobody's is answered, after which none passes for
    a while."""
    CIRCUIT_PAUSE: float = 5.0
    """Seconds until one call probes whether the model is back."""
    RETRY_BASE: float = 2.0
    """Seconds of the first back-off after a failed model call; it doubles, with full jitter."""
    RETRY_MAX: float = 60.0
    """Most seconds of back-off; a vendor's own Retry-After is heeded whatever it is."""

    EVENTS_KEPT: int = 1000
    """Newest events of a session's log that are kept."""
    PAGE_LIMIT: int = 50
    """Messages in a snapshot or page when the client names no `limit`."""
    PAGE_LIMIT_MAX: int = 200
    """Most messages that a client may ask for at once."""
    WAIT_MAX: float = 30.0
    """Most seconds that a long-poll waits."""
    FOLLOWERS: int = 20
    """Most sockets, event streams and long-polls of one session in one web process."""
    AUTH_TIMEOUT: float = 10.0
    """Seconds within which a socket must have authenticated."""
    TICKET_TTL: float = 30.0
    """Seconds within which a ticket must be used."""
    URL_TOKENS: bool = True
    """Whether sockets take tokens in their URL."""
    SOCKET_ORIGINS: str = ""
    """Origins that may open sockets beyond those of ALLOWED_HOSTS and CORS_ORIGINS, with commas
    between; `null` stands for pages without one, `none` for programs that name none."""
    SOCKET_BYTES: int = 2 * 1024 * 1024
    """Bytes of events that may wait for a slow reader before it is cut off."""
    SOCKET_PATIENCE: float = 15.0
    """Seconds that a reader may keep a send waiting before it is cut off."""
    FRAMES_PER_MINUTE: OrZero[int] = 600
    """Frames that one socket may send a minute, or it is closed; 0 sets no bound."""
    FRAMES_BURST: int = 60
    """How many of them may come at once."""
    SSE_HEARTBEAT: float = 15.0
    """Seconds between two signs of life of an event stream that has no event to tell."""

    TUTORIAL: bool = True
    """Whether the tutorial's own routes are served; they take tokens in URLs."""
    DEFAULT_MODEL: str = "default"
    """Name of the model that a session uses when it names none."""
    TRUSTED_PROXIES: OrZero[int] = 0
    """Proxies in front of the web process whose X-Forwarded-For entries are believed; 0 believes
    none."""
    OUTSIDE_NETWORKS: str = ""
    """Networks that URLs from clients may lead to though they are not public, with commas between,
    as in `10.1.0.0/16,127.0.0.1/32`."""
    WEBHOOK_SECRETS: str = ""
    """Secrets by which receivers know that a webhook is called by Parley, `whsec_` and base64, with
    commas between; calls bear a signature by each. Without one there are no webhooks."""
    WEBHOOK_URL: str = ""
    """URL that is told of each turn's end in sessions that have no webhook of their own."""
    SESSION_WEBHOOKS: bool = True
    """Whether sessions may name a webhook of their own, when there is a secret."""
    WEBHOOK_TIMEOUT: float = 10.0
    """Seconds within which a receiver must have answered."""
    WEBHOOK_ATTEMPTS: int = 8
    """Most tries at one delivery."""
    WEBHOOK_BASE: float = 5.0
    """Seconds until the second try; the wait grows fourfold with each."""
    WEBHOOK_MAX: float = 21600.0
    """Most seconds between two tries, whatever a receiver asks for."""
    WEBHOOK_CONCURRENCY: int = 32
    """Deliveries that one worker process has in flight, in threads of their own."""
    PUBLISH_TIMEOUT: float = 0.3
    """Seconds that a wake-up may take to publish; the sweep makes up for a lost one."""
    STORE_TIMEOUT: float = 1.5
    """Seconds that a call to Redis may take before the client is told `store_unavailable`."""
    REPLICAS: OrZero[int] = 0
    """Replicas of Redis that must hold a message before its 202; 0 waits for none. See
    docs/operations.md."""
    REPLICA_TIMEOUT: float = 0.5
    """Seconds that they have for it, less than half of STORE_TIMEOUT; then the client is told
    `store_unavailable`."""
    WEB_THREADS: int = 8
    """Threads of a web process that answer requests; those that wait for news take none."""
    WORKER_CONCURRENCY: int = 512
    """Turns that one worker process has in flight; each is a thread that waits for the model."""
    PULSE_FILE: str = ""
    """File that a worker touches after each look at what is due, for a health check to see."""


class _Settings:
    """The knobs as they are set. Each is looked up once: Django takes 1 us to find a setting, and
    a turn reads thirty (measured: a twentieth of what it costs).
    """

    def __getattr__(self, name: str) -> Any:
        if not name.isupper():
            raise AttributeError(name)
        value = getattr(settings, PREFIX + name, None)
        vars(self)[name] = getattr(Knobs, name) if value is None else value
        return vars(self)[name]

    def forget(self, *, setting: str, **_: object) -> None:
        """Look a setting up again: a test has changed it."""
        vars(self).pop(setting.removeprefix(PREFIX), None)


_settings = _Settings()
setting_changed.connect(_settings.forget)
knobs = cast("Knobs", _settings)


def default_knobs() -> dict[str, object]:
    """Return all `CHAT_*` settings as they are by default."""
    return {PREFIX + name: vars(Knobs)[name] for name in get_type_hints(Knobs)}


def read_knobs(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the `CHAT_*` settings that `environ` holds, each as its knob's type.

    Raises:
        ConfigError: a value is not of the knob's type or form or not positive, or no knob has
            that name.
    """
    types = get_type_hints(Knobs, include_extras=True)
    known = {PREFIX + name: kind for name, kind in types.items()}
    found = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
    if unknown := sorted(found.keys() - known.keys() - {"CHAT_MODELS_FILE"}):
        raise ConfigError(f"{unknown[0]}: there is no such setting")
    networks(environ.get(f"{PREFIX}OUTSIDE_NETWORKS", ""))
    _check_webhooks(found)
    return {
        name: _typed(name, text, known[name])
        for name, text in found.items()
        if name != "CHAT_MODELS_FILE" and text
    }


@cache
def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return networks that are written with commas between.

    Raises:
        ConfigError: one of them is not a network.
    """
    try:
        return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise ConfigError(f"{PREFIX}OUTSIDE_NETWORKS: {error}") from error


def has_webhook() -> bool:
    """Return whether the deployment has a webhook of its own."""
    return bool(knobs.WEBHOOK_URL and knobs.WEBHOOK_SECRETS)


@cache
def webhook_secrets(text: str) -> tuple[bytes, ...]:
    """Return secrets that are written as Standard Webhooks does, with commas between.

    Raises:
        ConfigError: one of them is not `whsec_` and base64 of 24 to 64 bytes.
    """
    return tuple(_secret(each.strip()) for each in text.split(",") if each.strip())


def _secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError as error:
        raise ConfigError(f"{PREFIX}WEBHOOK_SECRETS: one is not base64") from error
    if not text.startswith(SECRET_PREFIX) or len(secret) not in SECRET_BYTES:
        raise ConfigError(f"{PREFIX}WEBHOOK_SECRETS: want whsec_ and base64 of 24 to 64 bytes")
    return secret


def _check_webhooks(found: Mapping[str, Any]) -> None:
    secrets = webhook_secrets(found.get(f"{PREFIX}WEBHOOK_SECRETS", ""))
    url = urlsplit(found.get(f"{PREFIX}WEBHOOK_URL", ""))
    if url.geturl() and not secrets:
        raise ConfigError(f"{PREFIX}WEBHOOK_URL: needs CHAT_WEBHOOK_SECRETS, too")
    if url.geturl() and (url.scheme not in {"http", "https"} or not url.hostname):
        raise ConfigError(f"{PREFIX}WEBHOOK_URL: {url.geturl()!r} is not an http(s) URL")


def read_boolean(name: str, text: str) -> bool:
    """Return what the variable `name` says by `text`.

    Raises:
        ConfigError: it says neither yes nor no.
    """
    try:
        return BOOLEANS[text.lower()]
    except KeyError:
        raise ConfigError(f"{name}: {text!r} is neither true nor false") from None


def _typed(name: str, text: str, hint: Any) -> object:
    kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if kind is bool:
        return read_boolean(name, text)
    try:
        value = kind(text)
    except ValueError as error:
        raise ConfigError(f"{name}: {text!r} is not a value of type {kind.__name__}") from error
    if not _is_in_range(value, hint):
        raise ConfigError(f"{name}: {text!r} is out of range")
    return value


def _is_in_range(value: object, hint: Any) -> bool:
    """Return whether a number is finite and positive, or 0 where that has a meaning."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return 0 < value < float("inf") or (value == 0 and get_origin(hint) is Annotated)


def read_models(environ: Mapping[str, str]) -> dict[str, Model]:
    """Return the models by name: those of the file `CHAT_MODELS_FILE`, or the one of `MODEL_*`.

    Raises:
        ConfigError: the file cannot be read, an entry names an unknown or mistyped field or one
            that is out of range, or none is the default model.
    """
    if path := environ.get("CHAT_MODELS_FILE"):
        entries = _read_toml(Path(path))
    else:
        entries = {"default": _model_of_variables(environ)}
    models = {name: _model(name, entry, environ) for name, entry in entries.items()}
    for model in models.values():
        _check_fallbacks(model, models)
    default = environ.get(f"{PREFIX}DEFAULT_MODEL") or Knobs.DEFAULT_MODEL
    if default not in models:
        known = ", ".join(models) or "none"
        raise ConfigError(f"{PREFIX}DEFAULT_MODEL: {default!r} is not among the models: {known}")
    return models


def _check_fallbacks(model: Model, models: Mapping[str, Model]) -> None:
    """Follow the fallbacks of a model to their end."""
    seen = [model.name]
    while model.fallback:
        if model.fallback not in models:
            raise ConfigError(f"model {model.name}: fallback {model.fallback!r} is not a model")
        if model.fallback in seen:
            raise ConfigError(f"model {model.name}: fallback {model.fallback!r} leads in a circle")
        model = models[model.fallback]
        seen.append(model.name)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"CHAT_MODELS_FILE: {path} cannot be read: {error}") from error


def _model_of_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    token = environ.get("MODEL_TOKEN") or environ.get("HUGGINGFACE_INFERENCE_TOKEN", "")
    return {
        "provider": environ.get("MODEL_PROVIDER") or "openai",
        "url": environ.get("MODEL_URL") or "http://127.0.0.1:8001/v1",
        "model": environ.get("MODEL_NAME") or "parley-dev",
        "token": token,
    }


def _model(name: str, entry: object, environ: Mapping[str, str]) -> Model:
    if not isinstance(entry, dict):
        raise ConfigError(f"model {name}: a table of fields is expected")
    fields = dict(entry)
    if variable := fields.pop("token_env", ""):
        fields["token"] = environ.get(str(variable), "")
        if not fields["token"]:
            raise ConfigError(f"model {name}: token_env names {variable}, which is not set")
    timeouts = fields.pop("timeouts", {})
    if isinstance(fields.get("stop"), list):
        fields["stop"] = tuple(fields["stop"])
    if not isinstance(timeouts, dict):
        raise ConfigError(f"model {name}: timeouts: a table of fields is expected")
    model = _checked(
        Model, name, {**fields, "name": name, "timeouts": _checked(Timeouts, name, timeouts)}
    )
    if model.context_tokens <= model.max_tokens:
        raise ConfigError(f"model {name}: context_tokens must be more than max_tokens")
    return model


def _checked(kind: type[T], model: str, fields: Mapping[str, Any]) -> T:
    """Build `kind` of `fields`, each of the type that its annotation names."""
    known = get_type_hints(kind)
    ranges = get_type_hints(kind, include_extras=True)
    for field, value in fields.items():
        if field not in known:
            raise ConfigError(f"model {model}: there is no field {field!r}")
        if not _is_of(value, known[field]) or not _is_in_range(value, ranges[field]):
            raise ConfigError(f"model {model}: {field} cannot be {value!r}")
    if missing := [field for field in _required(kind) if not fields.get(field)]:
        raise ConfigError(f"model {model}: {missing[0]} is missing")
    return kind(**fields)


def _required(kind: type) -> list[str]:
    missing = dataclasses.MISSING
    fields = dataclasses.fields(kind)
    return [f.name for f in fields if f.default is missing and f.default_factory is missing]


def _is_of(value: object, hint: Any) -> bool:
    kinds = tuple(get_origin(part) or part for part in get_args(hint)) or (hint,)
    if get_origin(hint) not in {None, UnionType}:
        kinds = (get_origin(hint),)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (float in kinds and isinstance(value, int))
