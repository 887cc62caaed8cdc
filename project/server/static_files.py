"""Static files, straight from where the apps keep them: no step of installation is needed."""

from collections.abc import Iterable
from wsgiref.headers import Headers

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from servestatic.asgi import ServeStaticASGI  # type: ignore[import-untyped]

from chat.api.responses import standing_headers

FILES = settings.STATIC_URL.strip("/")


class StaticFiles(ServeStaticASGI):  # type: ignore[misc]
    """Serves what lies below STATIC_URL and leaves the rest to the application."""

    def __init__(self, application: object) -> None:
        super().__init__(
            application,
            autorefresh=settings.DEBUG,
            allow_all_origins=False,
            add_headers_function=_add_headers,
        )
        for directory in _directories():
            self.add_files(directory, prefix=FILES)


def _directories() -> Iterable[str]:
    """Give the directories of the apps, the first to be asked last: later files take precedence."""
    storages = [
        storage for finder in get_finders() for storage in getattr(finder, "storages", {}).values()
    ]
    return [storage.location for storage in reversed(storages)]


def _add_headers(headers: Headers, path: str, url: str) -> None:  # noqa: ARG001
    for name, value in standing_headers(is_api=False):
        headers.setdefault(name, value)
