"""The dev model as an ASGI application: which path is answered by what."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from fakemodel.calls import parse_body
from fakemodel.connection import CallerGone, Line
from fakemodel.errors import Refused, malformed
from fakemodel.exchange import Exchange
from fakemodel.faults.registry import answer
from fakemodel.formats.openai_common import error
from fakemodel.formats.registry import PATHS, find_format
from fakemodel.formats.sse import JSON, Format
from fakemodel.ledger import list_calls
from fakemodel.limits import Limits
from fakemodel.options import Options
from fakemodel.recorder import Record
from fakemodel.replies.compose import compose
from fakemodel.scenario import Plan

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Page = Callable[[Scope, bytes], object]

MOST_BODY = 16 * 1024 * 1024  # bytes; what a model would refuse as well

MODEL_NAME = "fake-model"
MODEL_SINCE = 1_735_689_600  # seconds since the epoch; the list must look the same each time


class App:
    """Answers calls for replies in three formats, and a few pages about itself."""

    def __init__(self, options: Options) -> None:
        """Begin with an empty record and nothing in flight."""
        self.options = options
        self.record = Record(keeps=options.record)
        self.plan = Plan(options)
        self.limits = Limits(
            at_once=options.concurrency_limit,
            per_minute=options.requests_per_minute,
            minute=options.minute,
        )
        self.pages: dict[tuple[str, str], Page] = {
            ("GET", "/live"): self.live,
            ("GET", "/v1/models"): self.list_models,
        }
        if options.record:
            self.pages |= {
                ("GET", "/__calls__"): self.calls,
                ("GET", "/__script__"): self.script,
                ("POST", "/__script__"): self.extend_script,
                ("POST", "/__reset__"): self.reset,
            }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            body = await read_body(receive)
            speaks = find_format(scope["path"]) if scope["method"] == "POST" else None
            if speaks is None:
                await send_json(send, 200, orjson.dumps(self.find_page(scope)(scope, body)))
            else:
                await self.reply(speaks, body, scope, send)
        except Refused as refused:
            await send_json(send, refused.status, error(refused))
        except CallerGone:
            return  # before the body was complete: there is nobody to answer

    def find_page(self, scope: Scope) -> Page:
        """The page asked for; raises Refused (404, 405)."""
        page = self.pages.get((scope["method"], scope["path"]))
        if page is not None:
            return page
        known = {path for _, path in self.pages} | PATHS.keys()
        if scope["path"] in known:
            raise Refused(405, f"{scope['method']} is not allowed here.")
        raise Refused(404, f"There is nothing at {scope['path']}.", code="not_found")

    async def reply(self, speaks: Format, body: bytes, scope: Scope, send: Send) -> None:
        """Answer a call for a reply, and keep the record of it."""
        entry = self.record.open(format_name=speaks.name, path=scope["path"], body=body)
        connection = scope["state"]["connection"]
        line = Line(send, connection.transport, connection.closed, entry)
        try:
            await self.answer(speaks, line)
        except CallerGone:
            entry.closed_early = True
        finally:
            self.record.close(entry)

    async def answer(self, speaks: Format, line: Line) -> None:
        """Answer well, or badly, or with an error in the format's shape; raises CallerGone."""
        try:
            await answer(self.exchange(speaks, line))
        except Refused as refused:
            body = speaks.error(refused)
            await line.respond(refused.status, JSON, body, headers=refused.headers)

    def exchange(self, speaks: Format, line: Line) -> Exchange:
        """What is to be answered, and how; raises Refused."""
        entry = line.entry
        self.limits.admit(entry.in_flight)
        call = speaks.parse(entry.body, entry.path)
        behaviour = self.plan.choose(call)
        return Exchange(
            line=line,
            call=call,
            format=speaks,
            behaviour=behaviour,
            reply=compose(call, behaviour, style=self.options.style, seed=self.options.seed),
            chance=self.plan.random,
        )

    def live(self, _scope: Scope, _body: bytes) -> object:
        """That the server is up, and how busy it is."""
        return {
            "status": "ok",
            "calls": self.record.total,
            "in_flight": self.record.in_flight,
        }

    def list_models(self, _scope: Scope, _body: bytes) -> object:
        """The one model; calls may name any other."""
        model = {"id": MODEL_NAME, "object": "model", "created": MODEL_SINCE, "owned_by": "parley"}
        return {"object": "list", "data": [model]}

    def calls(self, scope: Scope, _body: bytes) -> object:
        """The calls on record; raises Refused (400)."""
        return list_calls(self.record, scope["query_string"])

    def script(self, _scope: Scope, _body: bytes) -> object:
        """The steps still waiting."""
        return {"steps": self.plan.script.waiting()}

    def extend_script(self, scope: Scope, body: bytes) -> object:
        """Add steps; raises Refused (400)."""
        self.plan.script.extend(parse_body(body))
        return self.script(scope, body)

    def reset(self, _scope: Scope, body: bytes) -> object:
        """Forget calls, counts, limits and script, as if freshly started."""
        if body:
            raise malformed("A reset takes no body.")
        self.record.reset()
        self.plan.reset()
        self.limits.accepted.clear()
        return {"status": "ok"}


async def read_body(receive: Receive) -> bytes:
    """The whole body; raises Refused (413), or CallerGone if it never comes."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        parts.append(message["body"])
        size += len(message["body"])
        if size > MOST_BODY:
            raise Refused(413, f"The body is larger than {MOST_BODY} bytes.")
        if not message["more_body"]:
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def send_json(send: Send, status: int, body: bytes) -> None:
    """Send a whole JSON response."""
    headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
