"""A small Django project of another team, which serves Parley's API and its own.

It prints, as JSON, how both answer. Its settings contradict Parley's wherever they can.
"""

import asyncio
import json
import os
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path

from chat.settings import defaults

HOST_ERROR = "an error of the host project"


def fail(request: HttpRequest) -> HttpResponse:
    """A POST of the host's own API, which CSRF and login must protect."""
    return HttpResponse(f"reached by {request.method}")


def handle(exc: Exception, context: dict[str, Any]) -> None:  # noqa: ARG001
    raise AssertionError(HOST_ERROR) from exc


def configure() -> None:
    from chat.llm_config import read_models  # noqa: PLC0415  # reads Django's settings

    settings.configure(
        **defaults(),
        SECRET_KEY="x" * 50,
        ALLOWED_HOSTS=["testserver"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "rest_framework",
            "chat",
        ],
        MIDDLEWARE=[
            "chat.api.middleware.APIMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
        ],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        LOGIN_URL="/login",
        REST_FRAMEWORK={
            "EXCEPTION_HANDLER": f"{__name__}.handle",
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
            "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
            "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
            "DEFAULT_THROTTLE_RATES": {"anon": "1/day"},
        },
        CHAT_MODELS=read_models({}),
        REDIS_URL=os.environ["REDIS_URL"],
        BROKER_URL=os.environ["REDIS_URL"],
        CORS_ORIGINS=[],
        METRICS_TOKEN="",
        HTTPS=False,
        URL_PREFIX="",
    )
    django.setup()


def urls() -> list[Any]:
    from chat.api.urls import urlpatterns as api  # noqa: PLC0415  # needs Django
    from chat.realtime.urls import urlpatterns as realtime  # noqa: PLC0415

    own = ([path("own", fail)], "api")
    return [
        path("host/", include(own)),
        path("live/", include((realtime, "parley_live"))),
        path("", include((api, "parley"))),
    ]


def check() -> dict[str, Any]:
    client = Client(enforce_csrf_checks=True)

    def call(method: str, where: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = {} if body is None else {"data": body, "content_type": "application/json"}
        response = getattr(client, method)(where, **data)
        code = response.headers.get("Content-Type", "").startswith("application/json")
        error = json.loads(response.content).get("error", {}).get("code") if code else None
        return {"status": response.status_code, "error": error}

    async def delete_live() -> int:
        where = "/live/sessions/ses_0123456789abcdef01234567"
        return (await AsyncClient().delete(where)).status_code

    return {
        "live_delete": asyncio.run(delete_live()),
        "host_post": call("post", "/host/own", {}),
        "host_get": call("get", "/host/own"),
        "open": [call("post", "/sessions", {})["status"] for _ in range(3)],
        "invalid": call("post", "/sessions", {"nonsense": 1}),
        "unauthenticated": call("get", "/sessions/ses_0123456789abcdef01234567"),
    }


if __name__ == "__main__":
    configure()
    urlpatterns = urls()
    print(json.dumps(check()))  # noqa: T201
