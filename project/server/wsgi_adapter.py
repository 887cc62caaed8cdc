"""From ASGI to Django's sync views, with one change of thread a request.

a2wsgi changes threads for each message of the body and of the answer. What is asked and answered
here is small and bounded, so it crosses over whole, for less than half the CPU a request
(docs/adr/0011-asgi-routing.md). What must be streamed belongs to the waiting lane.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

from django.core import signals
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest, get_script_name
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from project.server.body import Body, Receive, Scope, Send

Environ = dict[str, Any]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body."""


class Bridge:
    """An ASGI application whose answers are made on a few threads."""

    def __init__(
        self,
        answer: Callable[[Environ], Answer],
        threads: ThreadPoolExecutor,
        *,
        most: int,
        patience: float,
    ) -> None:
        self.answer = answer
        self.threads = threads
        self.most = most
        """Bytes of a body that are taken in."""
        self.patience = patience
        """Seconds within which a body must have arrived."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        environ = environ_of(scope)
        is_whole = True
        if "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
            is_whole = await self._take_in(environ, receive)
        loop = asyncio.get_running_loop()
        status, headers, body = await loop.run_in_executor(self.threads, self.answer, environ)
        if not is_whole:
            # What is left of the body must not be read as another request.
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _take_in(self, environ: Environ, receive: Receive) -> bool:
        """Read the body before a thread is spent on it; return whether that came to its end.

        Django learns of a body that is too large, or not whole, by a CONTENT_LENGTH that is beyond
        what there is to read.
        """
        declared = int(environ.get("CONTENT_LENGTH", 0))
        body = Body(self.most, declared)
        if not (body.is_too_large and "HTTP_EXPECT" in environ):
            with contextlib.suppress(TimeoutError):
                await body.read(receive, self.patience)
        environ["wsgi.input"] = BytesIO(body.kept)
        if body.is_whole:
            environ["CONTENT_LENGTH"] = str(body.received)
        else:
            environ["CONTENT_LENGTH"] = str(max(declared, body.received + 1))
        return body.is_whole


def without_database(handler: WSGIHandler) -> Callable[[Environ], Answer]:
    """Return the shortest way through Django, for views that use no database.

    It sends no signals of a request's start and end. What hears them looks after connections to
    databases and caches, for a sixth of a poll's time.
    """

    def answer(environ: Environ) -> Answer:
        return _answer_of(handler.get_response(WSGIRequest(environ)))

    return answer


def with_database(handler: WSGIHandler) -> Callable[[Environ], Answer]:
    """Return the way for all other views, as `WSGIHandler` goes it."""

    def answer(environ: Environ) -> Answer:
        set_script_prefix(get_script_name(environ))
        signals.request_started.send(sender=WSGIHandler, environ=environ)
        response = handler.get_response(WSGIRequest(environ))
        try:
            return _answer_of(response)
        finally:
            response.close()

    return answer


def _answer_of(response: HttpResponseBase) -> Answer:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.items()]
    headers.extend(
        (b"set-cookie", each.OutputString().encode()) for each in response.cookies.values()
    )
    body = response.content if isinstance(response, HttpResponse) else response.getvalue()
    return response.status_code, headers, body


def environ_of(scope: Scope) -> Environ:
    """Return the request as PEP 3333 has it."""
    root = scope.get("root_path", "")
    host, port = scope.get("server") or ("localhost", 80)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": _latin(root),
        "PATH_INFO": _latin(scope["path"].removeprefix(root)),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "REMOTE_ADDR": (scope.get("client") or ("", 0))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        # With an underscore, X_Forwarded_For would pass for the proxy's own header.
        if b"_" not in name:
            _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    return environ


def _add_header(environ: Environ, name: str, value: str) -> None:
    variable = name.upper().replace("-", "_")
    if variable not in {"CONTENT_LENGTH", "CONTENT_TYPE"}:
        variable = f"HTTP_{variable}"
    environ[variable] = f"{environ[variable]},{value}" if variable in environ else value


def _latin(text: str) -> str:
    """Return bytes as PEP 3333 wants them: each as the character of its number."""
    return text.encode().decode("latin-1")
