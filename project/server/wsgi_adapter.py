"""Runs Django's sync views under ASGI, with one thread switch per request.

a2wsgi switches threads for each message of the request and of the response. Requests and responses
here are small and bounded, so each is passed as a whole, which takes less than half the CPU time
(docs/adr/0011-asgi-routing.md). Responses that stream go to `async_handler`.
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

from project.server.body import Receive, RequestBody, Scope, Send

Environ = dict[str, Any]
# Status, headers and body.
Response = tuple[int, list[tuple[bytes, bytes]], bytes]


class WSGIAdapter:
    """An ASGI application that calls sync views in a thread pool."""

    def __init__(
        self,
        get_response: Callable[[Environ], Response],
        executor: ThreadPoolExecutor,
        *,
        max_body_bytes: int,
        body_timeout: float,
    ) -> None:
        self.get_response = get_response
        self.executor = executor
        self.max_body_bytes = max_body_bytes
        # Seconds within which the whole body must arrive.
        self.body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        environ = build_environ(scope)
        is_complete = True
        if "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
            is_complete = await self._read_body(environ, receive)
        loop = asyncio.get_running_loop()
        status, headers, body = await loop.run_in_executor(
            self.executor, self.get_response, environ
        )
        if not is_complete:
            # The rest of the body must not be parsed as another request.
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _read_body(self, environ: Environ, receive: Receive) -> bool:
        """Read the body before a thread is used; return whether it is complete.

        A CONTENT_LENGTH beyond the bytes in `wsgi.input` tells Django's views that a body is too
        large or incomplete.
        """
        content_length = int(environ.get("CONTENT_LENGTH", 0))
        body = RequestBody(self.max_body_bytes, content_length)
        if not (body.is_too_large and "HTTP_EXPECT" in environ):
            with contextlib.suppress(TimeoutError):
                await body.read(receive, self.body_timeout)
        environ["wsgi.input"] = BytesIO(body.content)
        if body.is_complete:
            environ["CONTENT_LENGTH"] = str(body.received)
        else:
            environ["CONTENT_LENGTH"] = str(max(content_length, body.received + 1))
        return body.is_complete


def without_request_signals(handler: WSGIHandler) -> Callable[[Environ], Response]:
    """Return a function that runs views that use no database.

    It does not send `request_started` and `request_finished`: their receivers check the connections
    to databases and caches, which takes a sixth of a poll's time.
    """

    def get_response(environ: Environ) -> Response:
        return _convert_response(handler.get_response(WSGIRequest(environ)))

    return get_response


def with_request_signals(handler: WSGIHandler) -> Callable[[Environ], Response]:
    """Return a function that runs all other views, as `WSGIHandler` itself does."""

    def get_response(environ: Environ) -> Response:
        set_script_prefix(get_script_name(environ))
        signals.request_started.send(sender=WSGIHandler, environ=environ)
        response = handler.get_response(WSGIRequest(environ))
        try:
            return _convert_response(response)
        finally:
            response.close()

    return get_response


def _convert_response(response: HttpResponseBase) -> Response:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.items()]
    headers.extend(
        (b"set-cookie", cookie.OutputString().encode()) for cookie in response.cookies.values()
    )
    body = response.content if isinstance(response, HttpResponse) else response.getvalue()
    return response.status_code, headers, body


def build_environ(scope: Scope) -> Environ:
    """Return the WSGI environment (PEP 3333) of an ASGI request."""
    root_path = scope.get("root_path", "")
    host, port = scope.get("server") or ("localhost", 80)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": _wsgi_string(root_path),
        "PATH_INFO": _wsgi_string(scope["path"].removeprefix(root_path)),
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
        # Drop names with an underscore: X_Forwarded_For would pass for the proxy's header.
        if b"_" not in name:
            _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    return environ


def _add_header(environ: Environ, name: str, value: str) -> None:
    variable = name.upper().replace("-", "_")
    if variable not in {"CONTENT_LENGTH", "CONTENT_TYPE"}:
        variable = f"HTTP_{variable}"
    environ[variable] = f"{environ[variable]},{value}" if variable in environ else value


def _wsgi_string(text: str) -> str:
    """Return the UTF-8 bytes of `text` as Latin-1 characters, as PEP 3333 requires."""
    return text.encode().decode("latin-1")
