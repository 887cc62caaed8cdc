"""The fake model as an ASGI application."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson

from fakemodel.calls import parse_body
from fakemodel.connection import ClientConnection, ClientDisconnected
from fakemodel.errors import APIError, bad_request
from fakemodel.exchange import Exchange
from fakemodel.faults.registry import send_response
from fakemodel.formats.base import JSON, Format, RequestHead
from fakemodel.formats.openai_common import encode_error
from fakemodel.imitations.registry import format_finder
from fakemodel.limits import Limits
from fakemodel.options import Options
from fakemodel.recorder import Recorder, list_calls
from fakemodel.replies.compose import compose
from fakemodel.scenario import Scenario

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
# Takes the scope and the body; returns what is sent as JSON.
Endpoint = Callable[[Scope, bytes], object]

MAX_BODY_BYTES = 16 * 1024 * 1024

MODEL_NAME = "fake-model"
MODEL_CREATED = 1_735_689_600  # seconds since the epoch; constant, so that responses are as well


class App:
    """Answers calls for replies in all formats, and serves a few endpoints for tests."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.find_format = format_finder(options.imitation)
        self.recorder = Recorder(stores_calls=options.record)
        self.scenario = Scenario(options)
        self.limits = Limits(
            max_concurrent=options.concurrency_limit,
            max_per_window=options.requests_per_minute,
            window=options.rate_limit_window,
        )
        self.endpoints: dict[tuple[str, str], Endpoint] = {
            ("GET", "/live"): self._get_health,
            ("GET", "/v1/models"): self._list_models,
        }
        if options.record:
            self.endpoints |= {
                ("GET", "/__calls__"): self._list_calls,
                ("GET", "/__script__"): self._get_script,
                ("POST", "/__script__"): self._extend_script,
                ("POST", "/__reset__"): self._reset,
            }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        try:
            body = await _read_body(receive)
            wire_format = self.find_format(scope["path"]) if scope["method"] == "POST" else None
            if wire_format is None:
                endpoint = self._find_endpoint(scope)
                await _send_json(send, 200, orjson.dumps(endpoint(scope, body)))
            else:
                await self._record_call(wire_format, body, scope, send)
        except APIError as error:
            await _send_json(send, error.status, encode_error(error).body)
        except ClientDisconnected:
            return  # before the body was complete

    def _find_endpoint(self, scope: Scope) -> Endpoint:
        endpoint = self.endpoints.get((scope["method"], scope["path"]))
        if endpoint is not None:
            return endpoint
        known = {path for _, path in self.endpoints}
        if scope["path"] in known or self.find_format(scope["path"]) is not None:
            raise APIError(405, f"{scope['method']} is not allowed here.")
        raise APIError(404, f"There is no endpoint {scope['path']}.", code="not_found")

    async def _record_call(
        self, wire_format: Format, body: bytes, scope: Scope, send: Send
    ) -> None:
        record = self.recorder.start(wire_format, path=scope["path"], body=body)
        protocol = scope["state"]["protocol"]
        connection = ClientConnection(
            send, protocol.transport, protocol.closed, record, headers=wire_format.headers
        )
        try:
            await self._respond(wire_format, _parse_head(scope), connection)
        except ClientDisconnected:
            record.client_disconnected = True
        finally:
            self.recorder.finish(record)

    async def _respond(
        self, wire_format: Format, head: RequestHead, connection: ClientConnection
    ) -> None:
        try:
            wire_format.check_head(head)
            await send_response(self._prepare(wire_format, connection))
        except APIError as error:
            response = wire_format.encode_error(error)
            await connection.respond(
                response.status,
                response.content_type,
                response.body,
                headers=error.headers + response.headers,
            )

    def _prepare(self, wire_format: Format, connection: ClientConnection) -> Exchange:
        record = connection.record
        self.limits.admit(record.in_flight)
        call = wire_format.parse(record.body, record.path)
        behaviour = self.scenario.select(call)
        return Exchange(
            connection=connection,
            call=call,
            format=wire_format,
            behaviour=behaviour,
            reply=compose(call, behaviour, style=self.options.style),
            random=self.scenario.random,
        )

    def _get_health(self, _scope: Scope, _body: bytes) -> object:
        return {
            "status": "ok",
            "calls": self.recorder.total,
            "in_flight": self.recorder.in_flight,
        }

    def _list_models(self, _scope: Scope, _body: bytes) -> object:
        model = {"id": MODEL_NAME, "object": "model", "created": MODEL_CREATED}
        return {"object": "list", "data": [model | {"owned_by": "parley"}]}

    def _list_calls(self, scope: Scope, _body: bytes) -> object:
        return list_calls(self.recorder, scope["query_string"])

    def _get_script(self, _scope: Scope, _body: bytes) -> object:
        return {"steps": self.scenario.script.pending()}

    def _extend_script(self, scope: Scope, body: bytes) -> object:
        self.scenario.script.add(parse_body(body))
        return self._get_script(scope, body)

    def _reset(self, _scope: Scope, body: bytes) -> object:
        if body:
            raise bad_request("A reset takes no body.")
        self.recorder.reset()
        self.scenario.reset()
        self.limits.reset()
        return {"status": "ok"}


def _parse_head(scope: Scope) -> RequestHead:
    return RequestHead(
        path=scope["path"],
        headers={
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        },
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
    )


async def _read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        parts.append(message["body"])
        size += len(message["body"])
        if size > MAX_BODY_BYTES:
            raise APIError(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
        if not message["more_body"]:
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send_json(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
