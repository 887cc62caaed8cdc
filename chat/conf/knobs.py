"""The knobs: what they mean, their units, their defaults, and how they are set."""

from typing import Any, cast, get_type_hints

from django.conf import settings
from django.core.signals import setting_changed

from chat.domain import OrZero

PREFIX = "CHAT_"


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
    """Messages that one session may post a minute, resets and regenerations with them; 0 sets no
    bound."""
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
    """Seconds that a reader may keep a send waiting before it is cut off; a client that reads
    less than 64 KiB of what waits for it meanwhile is hung up on."""
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
