"""Static files, served from the apps' own directories: `collectstatic` is not needed."""

from collections.abc import Iterable
from wsgiref.headers import Headers

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from servestatic.asgi import ServeStaticASGI  # type: ignore[import-untyped]

from chat.api.responses import default_headers

# `url_prefix` has removed URL_PREFIX from the paths of requests.
PREFIX = settings.STATIC_URL.removeprefix(settings.URL_PREFIX).strip("/")


class StaticFiles(ServeStaticASGI):  # type: ignore[misc]
    """Serves the paths below STATIC_URL and passes all others to the application."""

    def __init__(self, application: object) -> None:
        super().__init__(
            application,
            autorefresh=settings.DEBUG,
            allow_all_origins=False,
            add_headers_function=_add_headers,
        )
        for directory in _directories():
            self.add_files(directory, prefix=PREFIX)


def _directories() -> Iterable[str]:
    """Return the apps' directories in reverse order: files that are added later win."""
    storages = [
        storage for finder in get_finders() for storage in getattr(finder, "storages", {}).values()
    ]
    return [storage.location for storage in reversed(storages)]


def _add_headers(headers: Headers, path: str, url: str) -> None:  # noqa: ARG001
    for name, value in default_headers(is_api=False):
        headers.setdefault(name, value)
