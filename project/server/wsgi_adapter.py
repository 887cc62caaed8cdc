"""Runs Django's sync views under ASGI, with one thread switch per request.

a2wsgi switches threads for each message of the request and of the response. Requests and responses
here are small and bounded, so each is passed as a whole, which takes less than half the CPU time
(docs/adr/0011-asgi-routing.md). Responses that stream go to `async_handler`.
"""

import asyncio
import sys
from collections.abc import Callable
from io import BytesIO
from typing import TypeVar

from django.core import signals
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest, get_script_name
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from chat.accounts import read_limits
from chat.accounts.client_ip import client_address
from chat.api.exception_handler import error_response_without_request
from chat.api.parsers import BODY_ERROR
from project.server.body import Environ, Receive, RequestBody, Scope, Send
from project.server.body_reader import BodyReader, dropped, has_body
from project.server.fair_threads import FairThreads

# Status, headers and body.
Response = tuple[int, list[tuple[bytes, bytes]], bytes]
Result = TypeVar("Result")


class WSGIAdapter:
    """An ASGI application that calls sync views in a thread pool."""

    def __init__(
        self,
        get_response: Callable[[Environ], Response],
        threads: FairThreads,
        *,
        bodies: BodyReader,
        rejects_bodies: bool = False,
    ) -> None:
        self.get_response = get_response
        self.threads = threads
        self.bodies = bodies
        # Whether a body that was not read is rejected here. The API's views do it themselves; an
        # error page of the admin takes longer.
        self.rejects_bodies = rejects_bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        environ = build_environ(scope)
        if has_body(environ):
            status, headers, body = await self._respond_to_body(environ, receive)
        else:
            status, headers, body = await self._run(self.get_response, environ)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _run(self, call: Callable[[Environ], Result], environ: Environ) -> Result:
        loop = asyncio.get_running_loop()
        async with self.threads.slots(client_address(environ)):
            return await loop.run_in_executor(self.threads.executor, call, environ)

    async def _respond_to_body(self, environ: Environ, receive: Receive) -> Response:
        body = await self.bodies.open(environ)
        was_too_large = body.is_too_large
        if was_too_large and self.rejects_bodies:
            # Now: others of the same client may arrive while this one is read to be dropped.
            read_limits.count_rejected(body.owner, body.content_length)
        try:
            environ["wsgi.input"] = await self.bodies.read(body, environ, receive)
            if self.rejects_bodies and (error := environ.get(BODY_ERROR)):
                if not was_too_large:
                    read_limits.count_rejected(body.owner, body.received)
                return _close_after(convert_response(error_response_without_request(error)))
            response = await self._run_unless_dropped(environ, body)
        except asyncio.CancelledError:
            if not body.is_dropped:
                raise
            response = convert_response(error_response_without_request(dropped()))
        finally:
            body.release()
        if body.is_dropped or not body.is_complete:
            _close_after(response)
        return response

    async def _run_unless_dropped(self, environ: Environ, body: RequestBody) -> Response:
        """Raise `CancelledError` if the body is dropped before a thread is free."""
        slots = self.threads.slots(body.owner)
        waiting = asyncio.ensure_future(slots.acquire())
        body.on_drop = waiting.cancel
        await waiting
        try:
            future = self.threads.executor.submit(self.get_response, environ)
            body.on_drop = future.cancel
            return await asyncio.wrap_future(future)
        finally:
            slots.release()


def _close_after(response: Response) -> Response:
    """Close the connection: the rest of the body must not be parsed as another request."""
    response[1].append((b"connection", b"close"))
    return response


def without_request_signals(handler: WSGIHandler) -> Callable[[Environ], Response]:
    """Return a function that runs views that use no database.

    It does not send `request_started` and `request_finished`: their receivers check the connections
    to databases and caches, which takes a sixth of a poll's time.
    """

    def get_response(environ: Environ) -> Response:
        return convert_response(handler.get_response(WSGIRequest(environ)))

    return get_response


def with_request_signals(handler: WSGIHandler) -> Callable[[Environ], Response]:
    """Return a function that runs all other views, as `WSGIHandler` itself does."""

    def get_response(environ: Environ) -> Response:
        set_script_prefix(get_script_name(environ))
        signals.request_started.send(sender=WSGIHandler, environ=environ)
        response = handler.get_response(WSGIRequest(environ))
        try:
            return convert_response(response)
        finally:
            response.close()

    return get_response


def convert_response(response: HttpResponseBase) -> Response:
    """Return a response as ASGI servers take it."""
    # Twice as fast as `response.items()`.
    stored = response.headers._store.items()  # noqa: SLF001
    headers = [(name.encode(), value.encode("latin-1")) for name, (_, value) in stored]
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
