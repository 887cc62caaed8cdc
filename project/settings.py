"""Django's settings, read from the environment once, at start.

A wrong value stops the process with its name. `.env.example` lists every variable. Parley's own
knobs and models are described in `chat/conf`.
"""

import os
import secrets
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from chat.domain.errors import ConfigError
from chat.env_parsers import read_boolean, read_list, read_origins
from chat.llm_config import read_models
from chat.settings import defaults, from_env
from project.runner.state_dir import noted
from project.secret_keys import weakness

DATABASES_KNOWN = {
    "sqlite": ("sqlite3",),
    "postgres": ("psycopg", "psycopg2"),
    "postgresql": ("psycopg", "psycopg2"),
}
"""Schemes of a database's URL -> packages any of which it takes."""


class Environment(environ.Env):  # type: ignore[misc]  # it brings no types
    """The environment; an empty variable is none."""

    ENVIRON = {name: value for name, value in os.environ.items() if value}

    def truth(self, name: str) -> bool:
        """Return whether the variable says yes; without one it is no.

        Raises:
            ImproperlyConfigured: it says neither yes nor no.
        """
        try:
            return read_boolean(name, self.str(name, default="false"))
        except ConfigError as error:
            raise ImproperlyConfigured(error.message) from error

    def database(self, name: str, *, default: str) -> dict[str, object]:
        """Return the database whose URL the variable holds.

        Raises:
            ImproperlyConfigured: it is not such a URL, or wants a package that is not there.
        """
        url = self.str(name, default=default)
        try:
            if (scheme := urlsplit(url).scheme) in DATABASES_KNOWN:
                _check_driver(name, DATABASES_KNOWN[scheme])
                return dict(self.db_url_config(url))
        except ValueError:  # of the port
            pass
        raise ImproperlyConfigured(
            f"{name}: not sqlite:///path or postgres://user:password@host/db"
        )


def _check_driver(name: str, packages: tuple[str, ...]) -> None:
    if not any(map(find_spec, packages)):
        raise ImproperlyConfigured(f"{name}: wants the package {packages[0]}, which is not there")


env = Environment()

BASE_DIR = Path(__file__).resolve().parent.parent
PARLEY_HOME = Path(env.str("PARLEY_HOME", default=str(BASE_DIR / ".parley")))
"""Where a single-machine installation keeps its state: SQLite, Redis's files, generated secrets."""

DEBUG = env.truth("DEBUG")
ALLOWED_HOSTS = read_list(env.str("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]"))
if "*" in ALLOWED_HOSTS and not DEBUG:
    raise ImproperlyConfigured("ALLOWED_HOSTS: '*' would let every Origin in; name the hosts")

try:
    NOTED = noted(PARLEY_HOME)
except OSError as error:
    raise ImproperlyConfigured(f"PARLEY_HOME: {error.filename}: {error.strerror}") from error
"""What `make run` has started with the data here, so that `manage.py` beside it finds that."""
HAS_SECRET_KEY = "SECRET_KEY" in NOTED | env.ENVIRON
SECRET_KEY = env.str("SECRET_KEY", default=NOTED.get("SECRET_KEY", secrets.token_urlsafe(50)))
"""Without one, a key of the process's own: fine for one process, useless for several."""
if not DEBUG and (why := weakness(SECRET_KEY)):
    raise ImproperlyConfigured(
        f"SECRET_KEY: too weak, {why}; make one by"
        " python -c 'import secrets; print(secrets.token_urlsafe(50))'"
    )

REDIS_URL = env.str("REDIS_URL", default=NOTED.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
# What redis-py calls a Unix socket's URL has another scheme in Celery.
BROKER_URL = env.str("BROKER_URL", default="") or REDIS_URL.replace("unix://", "redis+socket://", 1)
try:
    globals().update(defaults() | from_env(os.environ))
    CHAT_MODELS = read_models(NOTED | os.environ)
    CORS_ORIGINS = read_origins("CORS_ORIGINS", env.str("CORS_ORIGINS", default=""))
    """Origins whose pages may call the API; cookies are never let through."""
except ConfigError as error:
    raise ImproperlyConfigured(error.message) from error


ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "chat",
    "project.runner",
]
MIDDLEWARE = [
    # First: it leads the API's requests past all the others, which are the admin's.
    "chat.api.middleware.Front",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": env.database("DATABASE_URL", default=f"sqlite:///{PARLEY_HOME / 'admin.sqlite3'}")
}
"""Staff accounts and the admin's log; no chat state."""
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
APPEND_SLASH = False

METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
"""Who bears it may read /metrics; without one, only who comes from this machine may."""
HTTPS = env.truth("HTTPS")
"""Whether users come by HTTPS, through a proxy that ends it (or through uvicorn's own TLS)."""
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
if globals()["CHAT_TRUSTED_PROXIES"]:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "project.urls.forged"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
"""Most bytes of a form of the admin; the API's own bound is CHAT_MAX_BODY_BYTES."""
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1100
"""Most fields of one: an action that asks first sends back the 1,000 sessions that it takes."""

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["chat.api.parsers.StrictJSONParser"],
    # Tokens are read by chat.api.auth, limits are kept by the services: DRF has neither to check.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "chat.api.schema.Documented",
    "EXCEPTION_HANDLER": "chat.api.exception_handler.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Parley",
    "DESCRIPTION": (
        "Open a session, post a message, follow the reply. Beside these calls there are a WebSocket"
        " for each session, `/sessions/{id}/ws`, which OpenAPI cannot describe, and `/metrics`."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "APPEND_COMPONENTS": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    "COMPONENT_SPLIT_PATCH": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "chat.api.schema.complete",
    ],
    "ENUM_NAME_OVERRIDES": {
        "MessageStatus": "chat.api.schema_serializers.MESSAGE_STATUSES",
        "SessionStatus": "chat.api.schema_serializers.SESSION_STATUSES",
        "ErrorCode": "chat.api.schema_serializers.CODES",
    },
}

OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
"""Where spans are sent; without it there are none."""
if OTEL_EXPORTER_OTLP_ENDPOINT and not find_spec("opentelemetry.sdk"):
    raise ImproperlyConfigured(
        "OTEL_EXPORTER_OTLP_ENDPOINT: sending spans needs the extra parley[tracing]"
    )
OTEL_SERVICE_NAME = env.str("OTEL_SERVICE_NAME", default="") or "parley"
LOG_FORMATS = {"json": "chat.logging.JSONLines", "text": "chat.logging.Readable"}
LOG_FORMAT = env.str("LOG_FORMAT", default="") or ("text" if DEBUG else "json")
if LOG_FORMAT not in LOG_FORMATS:
    raise ImproperlyConfigured(f"LOG_FORMAT: {LOG_FORMAT!r} is neither json nor text")
LOG_LEVEL = env.str("LOG_LEVEL", default="") or "INFO"
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
    raise ImproperlyConfigured(f"LOG_LEVEL: {LOG_LEVEL!r} is not DEBUG, INFO, WARNING or ERROR")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"about": {"()": "chat.logging.About"}},
    "formatters": {"line": {"()": LOG_FORMATS[LOG_FORMAT]}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["about"],
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # Its one line says that the worker is ready, which `make run` waits for at any level.
        "celery.apps.worker": {"level": "INFO"},
        # Django's own handlers would write mail, or to the console under DEBUG only.
        "django": {"handlers": [], "propagate": True, "level": "INFO"},
        # What clients do wrong is told to the clients.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # On DEBUG they would log a vendor's URL, which may hold a key, and frames.
        "urllib3": {"level": "INFO"},
        # It would quote lines of a vendor's head that it cannot read, as a warning.
        "urllib3.connection": {"level": "ERROR"},
        "websockets": {"level": "INFO"},
        # uvicorn brings a handler of its own, in a form of its own.
        "uvicorn": {"handlers": [], "propagate": True, "level": "INFO"},
        # Both would log URLs, and sockets and the tutorial's routes have tokens in theirs.
        "uvicorn.error": {"level": "WARNING"},
        "uvicorn.access": {"handlers": [], "propagate": True, "level": "WARNING"},
    },
}
