"""Parley's own settings, `CHAT_*`: what they mean, their units and defaults.

`settings_from_env` reads each from an environment variable of the same name. The shape, a class
whose attributes are the defaults, is borrowed from procrastinate's `contrib/django/settings.py`.
"""

from typing import Any, cast, get_type_hints

from django.conf import settings
from django.core.signals import setting_changed

from chat.domain import NonNegative

PREFIX = "CHAT_"
# Allows WebSocket clients that send no Origin header, in `CHAT_SOCKET_ORIGINS`.
MISSING_ORIGIN = "missing"
# File suffix -> media type of the page's logo.
LOGO_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}


class ChatSettings:
    """The settings and their defaults.

    Numbers must be greater than 0, except those marked `NonNegative`.
    """

    # Number of partitions that sessions are spread over. Fixed for the life of a deployment:
    # processes with another number than the data in Redis do not start.
    PARTITIONS: int = 256

    # Seconds that a session lives after its last activity.
    SESSION_TTL: int = 3600
    # Maximum seconds that a client may request as `ttl`.
    MAX_SESSION_TTL: int = 30 * 86400
    # Seconds after its creation at which a session ends, even if it is active.
    MAX_SESSION_AGE: int = 30 * 86400
    # Seconds that Redis keeps keys after their session expired, if no worker removes them earlier;
    # at least four times CHAT_TURN_DEADLINE, whatever is set.
    KEY_TTL_MARGIN: int = 86400

    # Maximum size of a message's content, in UTF-8 bytes.
    MAX_CONTENT_BYTES: int = 1024 * 1024
    # Maximum length of a message's content, in code points.
    MAX_CONTENT_CHARS: int = 1024 * 1024
    # Maximum size of a system prompt, in UTF-8 bytes.
    MAX_SYSTEM_PROMPT_BYTES: int = 32 * 1024
    # Maximum size of a request body and of a WebSocket frame, in bytes. JSON escapes of
    # non-ASCII text take up to three times, those of ASCII text up to six times the bytes of a
    # message's content.
    MAX_BODY_BYTES: int = 3 * 1024 * 1024 + 64 * 1024
    # Seconds within which a request's headers, and then its body, must arrive.
    REQUEST_TIMEOUT: float = 10.0
    # Maximum length of a feedback comment, in code points.
    MAX_COMMENT_CHARS: int = 2000
    # Maximum size of a reply, in UTF-8 bytes. A longer one is cut and ends as `incomplete`.
    MAX_REPLY_BYTES: int = 1024 * 1024
    # Maximum bytes that one session stores: messages, fields, idempotency keys and event log.
    MAX_SESSION_BYTES: int = 64 * 1024 * 1024
    # Maximum size of a file, in bytes.
    MAX_FILE_BYTES: int = 4 * 1024 * 1024
    # Maximum size of all files of a session, in bytes. They count towards CHAT_MAX_SESSION_BYTES.
    MAX_SESSION_FILE_BYTES: int = 32 * 1024 * 1024
    # Maximum size of a session's metadata, in bytes of JSON.
    MAX_METADATA_BYTES: int = 4 * 1024

    # Maximum queued turns of one session.
    MAX_QUEUED_TURNS_PER_SESSION: int = 20
    # Maximum queued and running turns of one user, in all sessions. 0 disables the limit. API keys
    # and addresses without a user are counted per partition, with a quarter of it each.
    MAX_TURNS_PER_OWNER: NonNegative[int] = 200
    # Maximum queued turns of all sessions, which each web process counts once a second. A tenant,
    # an API key without tenant or an address has at most a quarter of them, and less while others
    # wait; all clients without API key or JWT together have half.
    MAX_QUEUED_TURNS: int = 10_000
    # Messages, resets and regenerations per minute and session. 0 disables the limit.
    MESSAGES_PER_MINUTE: NonNegative[int] = 60
    # Messages of a session that are accepted at once, before the rate above applies.
    MESSAGES_BURST: int = 20
    # Other changes per minute and session: of its fields and token, feedback, tickets. 0 disables
    # the limit.
    CHANGES_PER_MINUTE: NonNegative[int] = 120
    # Such changes that are accepted at once, before the rate above applies.
    CHANGES_BURST: int = 60
    # Tokens per hour and session: prompts and replies of all attempts. 0 disables the limit.
    SESSION_TOKENS_PER_HOUR: NonNegative[int] = 0
    # Most that all calls to models of a day may cost, in the currency of their prices; UTC. 0
    # disables the limit.
    DAILY_BUDGET: NonNegative[float] = 0.0
    # Tokens of all calls to models in a day: prompts and replies; UTC. 0 disables the limit.
    DAILY_TOKEN_BUDGET: NonNegative[int] = 0
    # Percent of each budget that calls may cost, in all workers together, while the node of a
    # Cluster that counts the budgets is down. It counts them later. 0 makes turns wait for it.
    BUDGET_OVERDRAFT: NonNegative[float] = 5.0
    # Sessions that one address may open per minute. 0 disables the limit.
    SESSIONS_PER_MINUTE: NonNegative[int] = 60
    # Sessions that one address may open at once, before the rate above applies.
    SESSIONS_BURST: int = 30

    # Sessions that exist at the same time and were opened by one address. 0 disables the limit.
    MAX_SESSIONS_PER_ADDRESS: NonNegative[int] = 500
    # Bytes that the sessions of one address store together, reserved in steps. 0 disables the
    # limit.
    MAX_BYTES_PER_ADDRESS: NonNegative[int] = 64 * 1024 * 1024

    # Sessions that one user may open per minute, half of them at once, from all addresses together.
    # Users are named by JWTs, or by API keys with Parley-User. 0 disables the limit.
    USER_SESSIONS_PER_MINUTE: NonNegative[int] = 60
    # The same for all users of a tenant together, or for an API key without tenant. 0 disables the
    # limit.
    TENANT_SESSIONS_PER_MINUTE: NonNegative[int] = 6000
    # Messages that one user may post per minute by JWT or API key, to all sessions together, a
    # twentieth of them at once. Each web process counts for itself. 0 disables the limit.
    USER_MESSAGES_PER_MINUTE: NonNegative[int] = 600
    # The same for all users of a tenant together, or an API key without tenant. 0 disables the
    # limit.
    TENANT_MESSAGES_PER_MINUTE: NonNegative[int] = 30_000
    # Sessions of one user that exist at the same time. 0 disables the limit.
    MAX_SESSIONS_PER_USER: NonNegative[int] = 500
    # Bytes that the sessions of one user store together. 0 disables the limit.
    MAX_BYTES_PER_USER: NonNegative[int] = 64 * 1024 * 1024
    # Sessions of one tenant, or of an API key without tenant. 0 disables the limit.
    MAX_SESSIONS_PER_TENANT: NonNegative[int] = 50_000
    # Bytes that the sessions of one tenant store together. 0 disables the limit.
    MAX_BYTES_PER_TENANT: NonNegative[int] = 512 * 1024 * 1024

    # Seconds from acceptance within which a turn must end. Clients may request less.
    TURN_DEADLINE: int = 900
    # Maximum attempts at one turn.
    MAX_ATTEMPTS: int = 4
    # Seconds that a worker's lease on a turn lasts unless it is renewed. At least three times
    # CHAT_LEASE_RENEWAL_INTERVAL, so that one late renewal does not lose the turn.
    LEASE_TTL: float = 10.0
    # Seconds after which a lease is renewed. Text renews it as well, once a third of it has passed.
    LEASE_RENEWAL_INTERVAL: float = 1.0
    # Seconds between writes of buffered deltas, for all running turns of a worker.
    FLUSH_INTERVAL: float = 0.05
    # Seconds after which a queued turn that no worker has claimed is published again.
    WAKE_GRACE: float = 2.0
    # Seconds between two sweeps of a worker.
    SWEEP_INTERVAL: float = 1.0
    # Maximum due sessions of one partition that one sweep handles.
    SWEEP_BATCH_SIZE: int = 100
    # Seconds that a stopping worker lets its turns finish before it requeues them.
    # With 0 it does so immediately.
    DRAIN_TIMEOUT: NonNegative[float] = 20.0
    # Failing sessions after which a model's circuit opens, if no call succeeded in between.
    CIRCUIT_FAILURE_THRESHOLD: int = 5
    # Seconds that a circuit stays open before a few calls test the model.
    CIRCUIT_RESET_TIMEOUT: float = 5.0
    # Maximum seconds for which the Retry-After of one model call blocks other calls to the model.
    MAX_RETRY_AFTER: float = 60.0
    # Seconds of the first back-off after a failed model call. It doubles, with full jitter.
    RETRY_BACKOFF: float = 2.0
    # Maximum seconds of back-off. A vendor's Retry-After is not limited by it.
    MAX_RETRY_BACKOFF: float = 60.0

    # Maximum events that a session's log keeps. The oldest are trimmed.
    EVENT_LOG_SIZE: int = 1000
    # Maximum bytes of a session's log, at most half of CHAT_MAX_SESSION_BYTES. The oldest events
    # are trimmed, but never the newest.
    EVENT_LOG_BYTES: int = 4 * 1024 * 1024
    # Messages in a snapshot or page when the client sends no `limit`.
    PAGE_LIMIT: int = 50
    # Maximum `limit` that a client may request.
    MAX_PAGE_LIMIT: int = 200
    # Bytes of messages at which a snapshot or page ends; it has at least one message.
    MAX_PAGE_BYTES: int = 1024 * 1024
    # Snapshots, pages and messages of a session that may be read per minute, a twentieth of them at
    # once. Each web process counts for itself. 0 disables the limit.
    READS_PER_MINUTE: NonNegative[int] = 1200
    # The same for all reads of one address, which many users may share; a quarter of it for its
    # requests that are rejected. 0 disables the limit.
    ADDRESS_READS_PER_MINUTE: NonNegative[int] = 6000
    # The same for all reads of one user, by API key or JWT; they do not count for the address. 0
    # disables the limit.
    USER_READS_PER_MINUTE: NonNegative[int] = 6000
    # The same for all users of a tenant together, or an API key without tenant: a sixth of what a
    # web process can answer. 0 disables the limit.
    TENANT_READS_PER_MINUTE: NonNegative[int] = 30_000
    # Maximum seconds that a long-poll waits.
    MAX_WAIT: float = 30.0
    # Maximum subscribers (WebSockets, event streams, long-polls) per session and web process.
    MAX_SUBSCRIBERS: int = 20
    # Seconds within which a WebSocket must authenticate.
    AUTH_TIMEOUT: float = 10.0
    # Seconds within which a ticket must be used.
    TICKET_TTL: float = 30.0
    # Whether WebSockets accept tokens in their URL.
    URL_TOKENS: bool = True
    # Origins that may open WebSockets, in addition to ALLOWED_HOSTS and CORS_ORIGINS, separated by
    # commas. `null` allows pages without an origin, `missing` clients without an Origin header.
    SOCKET_ORIGINS: str = ""
    # Origins whose pages may show the chat of `/embed` in an iframe, separated by commas, such as
    # `https://www.example.org`.
    FRAME_ANCESTORS: str = ""
    # Maximum bytes of events that are buffered for a slow subscriber before it is disconnected.
    MAX_BUFFERED_BYTES: int = 2 * 1024 * 1024
    # Maximum bytes that a web process buffers for all clients together: unfinished request bodies,
    # unsent responses and events. Beyond it, the oldest buffers of the address with the most are
    # dropped, with their connections.
    MAX_TOTAL_BUFFERED_BYTES: int = 64 * 1024 * 1024
    # Maximum connections of a web process. Fewer if the process may not open as many files.
    MAX_CONNECTIONS: int = 10_000
    # Maximum connections of one address, or requests in progress behind a trusted proxy; never more
    # than half of all.
    MAX_CONNECTIONS_PER_ADDRESS: int = 1000
    # Seconds that a write may block before the subscriber is disconnected. Any client that reads
    # less than 64 KiB of pending output within this time is disconnected.
    WRITE_TIMEOUT: float = 15.0
    # Frames per minute and WebSocket, or the WebSocket is closed. 0 disables the limit.
    FRAMES_PER_MINUTE: NonNegative[int] = 600
    # Frames that a WebSocket may send at once, before the rate above applies.
    FRAMES_BURST: int = 60
    # Seconds between heartbeats of an event stream that has no events to send.
    SSE_HEARTBEAT_INTERVAL: float = 15.0

    # Request header of the OpenAI-compatible API that names the user whom an API key with the scope
    # `users` acts for, in addition to Parley-User. Open WebUI sends this one if
    # ENABLE_FORWARD_USER_INFO_HEADERS is set.
    OPENAI_USER_HEADER: str = "X-OpenWebUI-User-Id"
    # Name of the chat page, in its list of chats and in the browser's tab.
    PAGE_NAME: str = "Parley"
    # Path of an SVG, PNG or WebP file that is the page's logo. Empty: a speech bubble.
    PAGE_LOGO: str = ""
    # Colour of the page's buttons and links, such as #2a57c5. Parley makes it darker or lighter
    # where text would be hard to read. Empty: blue.
    PAGE_COLOR: str = ""
    # Messages that a new chat suggests, separated by |.
    PAGE_SUGGESTIONS: str = (
        "Explain how a rainbow forms|Write a polite reminder about an unpaid invoice|"
        "Plan three days in Lisbon"
    )
    # Whom users of the page ask if something fails, such as help@example.org. Empty: the page names
    # no one.
    PAGE_CONTACT: str = ""
    # Title of a new chat on the page: `off`, `first` (the first words of its first message) or
    # `model` (first words, then a title that the model writes after the first reply, in a session
    # that the page deletes again).
    TITLES: str = "first"
    # Whether clients without API key or JWT may open sessions. Off in the deployment files.
    ANONYMOUS_SESSIONS: bool = True
    # Whether the tutorial's routes are served. They take tokens in URLs.
    TUTORIAL: bool = True
    # Model of sessions that name none.
    DEFAULT_MODEL: str = "default"
    # Addresses and networks of the proxies in front of the web process, separated by commas, such
    # as `127.0.0.1,10.1.0.0/16`. `unix` stands for a Unix socket. Their X-Forwarded-For,
    # X-Forwarded-Proto and X-Forwarded-Prefix are believed. Those of other clients are ignored.
    TRUSTED_PROXIES: str = ""
    # How many times the limits of one address an IPv6 /48 has, which is what one customer can get.
    # An address is an IPv4 address or an IPv6 /64.
    NETWORK_LIMIT_FACTOR: int = 4
    # What a session keeps of its client's address: `plain`, `hashed` with a salt that follows from
    # SECRET_KEY, or `off`: a number that 4,096 IPv4 addresses share, so that limits work.
    STORE_ADDRESSES: str = "plain"
    # Private networks that webhook URLs from clients may reach, separated by commas, such as
    # `10.1.0.0/16,127.0.0.1/32`.
    WEBHOOK_ALLOWED_NETWORKS: str = ""
    # Secrets that sign webhook calls, `whsec_` followed by base64, separated by commas. Each call
    # carries one signature per secret. Without a secret there are no webhooks.
    WEBHOOK_SECRETS: str = ""
    # URL that is called at the end of each turn, for sessions without a webhook.
    WEBHOOK_URL: str = ""
    # Whether sessions may set a webhook, if there is a secret.
    SESSION_WEBHOOKS: bool = True
    # Seconds within which a webhook receiver must answer.
    WEBHOOK_TIMEOUT: float = 10.0
    # Maximum attempts at one delivery.
    WEBHOOK_MAX_ATTEMPTS: int = 8
    # Seconds before the second attempt. The delay grows fourfold with each attempt.
    WEBHOOK_BACKOFF: float = 5.0
    # Maximum seconds between two attempts. It overrides the receiver's Retry-After.
    WEBHOOK_MAX_BACKOFF: float = 21600.0
    # Deliveries in flight per worker process.
    WEBHOOK_CONCURRENCY: int = 32
    # Seconds that publishing a wake-up may take. The sweeper replaces a lost one.
    PUBLISH_TIMEOUT: float = 0.3
    # Type of the queue on RabbitMQ: classic or quorum. Empty: the default of its virtual host.
    BROKER_QUEUE_TYPE: str = ""
    # Seconds that a call to Redis may take before the client gets `store_unavailable`.
    STORE_TIMEOUT: float = 1.5
    # Redis replicas that must hold a message before its 202. 0 waits for none. See
    # docs/redis.md.
    REPLICAS: NonNegative[int] = 0
    # Seconds that the replicas have to confirm, less than half of STORE_TIMEOUT. After that the
    # client gets `store_unavailable`.
    REPLICA_TIMEOUT: float = 0.5
    # Threads of a web process that answer requests. Waiting requests use none, and those of one
    # address at most half of them at a time.
    WEB_THREADS: int = 8
    # Turns in flight per worker process, all on one event loop.
    WORKER_CONCURRENCY: int = 512
    # Whether workers answer `celery inspect`. Anyone who can publish on the broker can then stop
    # them, and a user of Redis with an ACL needs all channels.
    WORKER_REMOTE_CONTROL: bool = False
    # File that a worker touches after each sweep, for health checks. It touches the same name
    # with .loop even while Redis is down: a worker that does not has stopped, and needs a restart.
    HEARTBEAT_FILE: str = ""


class _Accessor:
    """Reads settings from Django and caches them.

    Django takes 1 us to find a setting, and a turn reads thirty: measured, a twentieth of its cost.
    """

    def __getattr__(self, name: str) -> Any:
        if not name.isupper():
            raise AttributeError(name)
        value = getattr(settings, PREFIX + name, None)
        vars(self)[name] = getattr(ChatSettings, name) if value is None else value
        return vars(self)[name]

    def invalidate(self, *, setting: str, **_: object) -> None:
        """Drop the cached value: a test has changed the setting."""
        vars(self).pop(setting.removeprefix(PREFIX), None)


_accessor = _Accessor()
setting_changed.connect(_accessor.invalidate)
chat_settings = cast("ChatSettings", _accessor)


def defaults() -> dict[str, object]:
    """Return the default of every `CHAT_*` setting, by its full name."""
    return {PREFIX + name: vars(ChatSettings)[name] for name in get_type_hints(ChatSettings)}


def has_webhook() -> bool:
    """Return whether the deployment has a webhook, for all sessions."""
    return bool(chat_settings.WEBHOOK_URL and chat_settings.WEBHOOK_SECRETS)
