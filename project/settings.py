"""Django's settings, read from the environment once, at start.

A wrong value stops the process with the variable's name. `.env.example` lists every variable.
`chat/settings.py`, `chat/llm_config.py` and `chat/budget_config.py` describe the settings
`CHAT_...`, the models and the budgets.
"""

import os
import secrets
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from chat.auth_config import read_issuers
from chat.budget_config import read_budgets
from chat.domain.errors import ConfigError
from chat.env_parsers import (
    parse_boolean,
    parse_form_origins,
    parse_list,
    parse_origins,
    parse_url_prefix,
)
from chat.llm_config import default_model, read_models
from chat.settings import defaults
from chat.settings_from_env import from_env
from project.runner.state_dir import read_run_env

# URL scheme -> packages, of which one must be installed.
DATABASE_DRIVERS = {
    "sqlite": ("sqlite3",),
    "postgres": ("psycopg", "psycopg2"),
    "postgresql": ("psycopg", "psycopg2"),
}


class Environment(environ.Env):  # type: ignore[misc]  # the package has no types
    """The environment variables, without empty ones."""

    ENVIRON = {name: value for name, value in os.environ.items() if value}

    def boolean(self, name: str) -> bool:
        """Return the variable as a boolean, which is False without it.

        Raises:
            ImproperlyConfigured: the value is not a boolean.
        """
        try:
            return parse_boolean(name, self.str(name, default="false"))
        except ConfigError as error:
            raise ImproperlyConfigured(error.message) from error

    def natural(self, name: str, *, default: int) -> int:
        """Return the variable as a number that is not negative.

        Raises:
            ImproperlyConfigured: the value is not such a number.
        """
        text = self.str(name, default=str(default))
        if not (text.isascii() and text.isdigit()):
            raise ImproperlyConfigured(f"{name}: {text!r} is not a number of seconds")
        return int(text)

    def database(self, name: str, *, default: str) -> dict[str, object]:
        """Return Django's settings of the database with this URL.

        Raises:
            ImproperlyConfigured: the URL is invalid, or its driver is not installed.
        """
        url = self.str(name, default=default)
        try:
            if (scheme := urlsplit(url).scheme) in DATABASE_DRIVERS:
                _check_driver(name, DATABASE_DRIVERS[scheme])
                return dict(self.db_url_config(url))
        except ValueError:  # the port is invalid
            pass
        raise ImproperlyConfigured(
            f"{name}: use sqlite:///path or postgres://user:password@host/db"
        )


def _check_driver(name: str, packages: tuple[str, ...]) -> None:
    if not any(map(find_spec, packages)):
        raise ImproperlyConfigured(
            f"{name} requires the {packages[0]} package (pip install {packages[0]})"
        )


env = Environment()

BASE_DIR = Path(__file__).resolve().parent.parent
# The image is like a checkout. An installed wheel writes nothing into its own directory.
IS_CHECKOUT = (BASE_DIR / "manage.py").exists()
HOME_PARENT = BASE_DIR if IS_CHECKOUT else Path.cwd()
# State of a single-machine installation: SQLite, Redis's files, generated secrets.
PARLEY_HOME = Path(env.str("PARLEY_HOME", default=str(HOME_PARENT / ".parley")))

DEBUG = env.boolean("DEBUG")
ALLOWED_HOSTS = parse_list(env.str("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]"))
if "*" in ALLOWED_HOSTS and not DEBUG:
    raise ImproperlyConfigured("ALLOWED_HOSTS: '*' would allow every Origin; name the hosts")

# What `make run` has started, so that other commands of `manage.py` use it.
try:
    RUN_ENV = read_run_env(PARLEY_HOME)
except OSError as error:
    raise ImproperlyConfigured(f"PARLEY_HOME: {error.filename}: {error.strerror}") from error
HAS_SECRET_KEY = "SECRET_KEY" in RUN_ENV | env.ENVIRON
# The default works for a single process only: each one generates its own.
SECRET_KEY = env.str("SECRET_KEY", default=RUN_ENV.get("SECRET_KEY", secrets.token_urlsafe(50)))

REDIS_URL = env.str("REDIS_URL", default=RUN_ENV.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
# redis+socket:// is Celery's scheme for a Unix socket.
BROKER_URL = env.str("BROKER_URL", default=REDIS_URL).replace("redis+socket://", "unix://", 1)
try:
    # The settings CHAT_...: chat/settings.py lists them, with units and defaults. Django reads
    # settings from a module's names; `chat.settings.chat_settings` reads these from Django.
    CHAT_SETTINGS = defaults() | from_env(os.environ)
    globals().update(CHAT_SETTINGS)
    CHAT_MODELS = read_models(RUN_ENV | os.environ)
    CHAT_ISSUERS = read_issuers(os.environ)
    CHAT_BUDGETS = read_budgets(os.environ, CHAT_SETTINGS, CHAT_MODELS)
    CHAT_DEFAULT_MODEL = default_model(CHAT_MODELS, os.environ)
    # Origins whose pages may call the API, without cookies.
    CORS_ORIGINS = parse_origins("CORS_ORIGINS", env.str("CORS_ORIGINS", default=""))
    # Origins whose pages may post the admin's forms, besides the origin of the request itself.
    CSRF_TRUSTED_ORIGINS = parse_form_origins(
        "CSRF_TRUSTED_ORIGINS", env.str("CSRF_TRUSTED_ORIGINS", default="")
    )
    # Path below which a proxy serves Parley, such as /chat; "" is the root.
    URL_PREFIX = parse_url_prefix("URL_PREFIX", env.str("URL_PREFIX", default=""))
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
    # First: the API skips all others, which only the admin needs.
    "chat.api.middleware.APIMiddleware",
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
        # First: it has a base template for the admin.
        "DIRS": [BASE_DIR / "chat" / "templates"],
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
# Staff accounts and the admin's log; no chat state.
DATABASES = {
    "default": env.database("DATABASE_URL", default=f"sqlite:///{PARLEY_HOME / 'admin.sqlite3'}")
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
# Django adds it to each URL that it builds; `project.server.url_prefix` removes it from requests.
FORCE_SCRIPT_NAME = URL_PREFIX or None
STATIC_URL = f"{URL_PREFIX}/static/"
STATIC_ROOT = (BASE_DIR if IS_CHECKOUT else PARLEY_HOME) / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "project.server.static_files.VersionedStorage"},
}
APPEND_SLASH = False

# Address of the host on which docker compose publishes Parley; only checked.
PUBLISH = env.str("PUBLISH", default="127.0.0.1")
# Bearer token for /metrics. Without one, only clients on this machine may read it.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
# Whether users connect over HTTPS, terminated by a proxy or by uvicorn.
HTTPS = env.boolean("HTTPS")
SECURE_SSL_REDIRECT = HTTPS
# Sent by all pages and the API alike. Subdomains may belong to other services, so they are not
# included unless that is requested.
SECURE_HSTS_SECONDS = env.natural("HSTS_SECONDS", default=31_536_000) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.boolean("HSTS_INCLUDE_SUBDOMAINS")
# Django's checks ask for what HSTS_INCLUDE_SUBDOMAINS decides, and for preload lists.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
# After a login whose `next` is missing or leads to another site.
LOGIN_REDIRECT_URL = "admin:index"
if URL_PREFIX:
    # Another Django site of the same host may set cookies with Django's names for all paths.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "parley_sessionid", "parley_csrftoken"
    SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{URL_PREFIX}/"
if CHAT_SETTINGS["CHAT_TRUSTED_PROXIES"]:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "project.urls.csrf_failure"
# Bytes of a form in the admin; CHAT_MAX_BODY_BYTES limits the API.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# An action's confirmation page sends back up to 1,000 sessions.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1100

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["chat.api.parsers.StrictJSONParser"],
    # chat.api.auth reads tokens, and the subject packages check limits.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "chat.api.schema.ParleyAutoSchema",
    "EXCEPTION_HANDLER": "chat.api.exception_handler.handle",
    "UNAUTHENTICATED_USER": None,
}
BEARER_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "The token of a session, an API key or a JWT: docs/authentication.md.",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Parley",
    "DESCRIPTION": (
        "Open a session, post a message, and poll or stream the reply. OpenAPI cannot describe two"
        " endpoints: each session's WebSocket, `/sessions/{id}/ws`, and `/metrics`."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "APPEND_COMPONENTS": {"securitySchemes": {"token": BEARER_SCHEME}},
    "COMPONENT_SPLIT_PATCH": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "chat.api.schema.postprocess",
        "chat.tutorial.examples.add_examples",
        "chat.openai_api.schema.add_paths",
        "chat.ui_api.schema.add_paths",
    ],
    "ENUM_NAME_OVERRIDES": {
        "MessageStatus": "chat.api.schema_serializers.MESSAGE_STATUSES",
        "SessionStatus": "chat.api.schema_serializers.SESSION_STATUSES",
        "PartType": "chat.api.schema_serializers.PART_TYPES",
        "ItemType": "chat.api.schema_serializers.ITEM_TYPES",
        "ErrorCode": "chat.api.schema_serializers.CODES",
    },
    "SERVERS": [{"url": URL_PREFIX}] if URL_PREFIX else [],
}

# The collector of spans; without it, none are recorded.
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
if OTEL_EXPORTER_OTLP_ENDPOINT and not find_spec("opentelemetry.sdk"):
    raise ImproperlyConfigured(
        "OTEL_EXPORTER_OTLP_ENDPOINT requires the extra parley[tracing] (pip install '.[tracing]')"
    )
OTEL_SERVICE_NAME = env.str("OTEL_SERVICE_NAME", default="") or "parley"
LOG_FORMATS = {"json": "chat.logging.JSONFormatter", "text": "chat.logging.TextFormatter"}
LOG_FORMAT = env.str("LOG_FORMAT", default="") or ("text" if DEBUG else "json")
if LOG_FORMAT not in LOG_FORMATS:
    raise ImproperlyConfigured(f"LOG_FORMAT: {LOG_FORMAT!r} is neither json nor text")
LOG_LEVEL = env.str("LOG_LEVEL", default="") or "INFO"
if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
    raise ImproperlyConfigured(f"LOG_LEVEL: {LOG_LEVEL!r} is not DEBUG, INFO, WARNING or ERROR")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "chat.logging.ContextFilter"}},
    "formatters": {"line": {"()": LOG_FORMATS[LOG_FORMAT]}},
    "handlers": {
        "console": {
            "class": "chat.logging.ConsoleHandler",
            "formatter": "line",
            "filters": ["context"],
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # `make run` waits for its only line, which says that the worker is ready.
        "celery.apps.worker": {"level": "INFO"},
        # Django's own handlers send mail, or write to the console only if DEBUG is on.
        "django": {"handlers": [], "propagate": True, "level": "INFO"},
        # Error responses report client errors.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # At the level DEBUG, both log the model's URL, which may hold a key, and frames.
        "urllib3": {"level": "INFO"},
        # It would quote invalid header lines of a model's response.
        "urllib3.connection": {"level": "ERROR"},
        "websockets": {"level": "INFO"},
        # uvicorn has its own handler and format.
        "uvicorn": {"handlers": [], "propagate": True, "level": "INFO"},
        # Both log URLs, and those of WebSockets and of the tutorial's routes hold tokens.
        "uvicorn.error": {"level": "WARNING"},
        "uvicorn.access": {"handlers": [], "propagate": True, "level": "WARNING"},
    },
}
