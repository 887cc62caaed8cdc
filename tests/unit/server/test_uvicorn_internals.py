"""All internals of uvicorn, httptools and websockets that `project.server` overrides or uses.

A new version of uvicorn may rename them, and an override that is no longer called fails silently.
Before a change of the pinned version: compare the source of these methods, fix what this test
finds, and run the tests of heads, bodies, frames and slow clients.
"""

import asyncio
import inspect
import tomllib
from collections import deque
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
import uvicorn
from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from project.runner.process import ROOT
from project.server.h2_upgrade import UpgradeIgnoringParser
from project.server.http_protocol import HTTPProtocol
from project.server.main import DEFAULTS
from project.server.websocket_protocol import WebSocketProtocol
from project.server.write_timeout import WriteTimeoutMixin

NoneType = type(None)
# Class, overridden method, its parameters.
OVERRIDDEN: list[tuple[type, str, list[str]]] = [
    (HttpToolsProtocol, "__init__", ["config", "server_state", "app_state", "_loop"]),
    (HttpToolsProtocol, "connection_made", ["transport"]),
    (HttpToolsProtocol, "connection_lost", ["exc"]),
    (HttpToolsProtocol, "data_received", ["data"]),
    (HttpToolsProtocol, "eof_received", []),
    (HttpToolsProtocol, "pause_writing", []),
    (HttpToolsProtocol, "resume_writing", []),
    (HttpToolsProtocol, "send_400_response", ["msg"]),
    (HttpToolsProtocol, "handle_websocket_upgrade", []),
    (HttpToolsProtocol, "on_message_begin", []),
    (HttpToolsProtocol, "on_header", ["name", "value"]),
    (HttpToolsProtocol, "on_headers_complete", []),
    (HttpToolsProtocol, "on_message_complete", []),
    (HttpToolsProtocol, "on_response_complete", []),
    (HttpToolsProtocol, "_start_asgi_task", ["cycle", "app"]),
    (WebSocketsSansIOProtocol, "__init__", ["config", "server_state", "app_state", "_loop"]),
    (WebSocketsSansIOProtocol, "connection_made", ["transport"]),
    (WebSocketsSansIOProtocol, "connection_lost", ["exc"]),
    (WebSocketsSansIOProtocol, "data_received", ["data"]),
    (WebSocketsSansIOProtocol, "eof_received", []),
    (WebSocketsSansIOProtocol, "pause_writing", []),
    (WebSocketsSansIOProtocol, "resume_writing", []),
    (WebSocketsSansIOProtocol, "run_asgi", []),
    (WebSocketsSansIOProtocol, "handle_cont", ["event"]),
    (WebSocketsSansIOProtocol, "handle_text", ["event"]),
    (WebSocketsSansIOProtocol, "handle_bytes", ["event"]),
    (WebSocketsSansIOProtocol, "handle_ping", []),
    (WebSocketsSansIOProtocol, "handle_pong", ["event"]),
    (WebSocketsSansIOProtocol, "send_receive_event_to_app", []),
    (WebSocketsSansIOProtocol, "handle_parser_exception", []),
    (HttpRequestParser, "feed_data", ["data"]),
]
# Class, method that Parley calls, the keyword arguments that it passes.
CALLED: list[tuple[type, str, list[str]]] = [
    (HttpToolsProtocol, "_should_upgrade", []),
    (WebSocketsSansIOProtocol, "stop_keepalive", []),
    (HttpRequestParser, "should_upgrade", []),
    (HttpRequestParser, "get_method", []),
    (HttpRequestParser, "get_http_version", []),
    (HttpRequestParser, "set_dangerous_leniencies", ["lenient_data_after_close"]),
    (ServerProtocol, "send_close", ["code", "reason"]),
    (ServerProtocol, "data_to_send", []),
    (WebSocketsSansIOProtocol, "send", ["message"]),
]
# Class, attribute that Parley reads or writes, its type in a new instance.
ATTRIBUTES: list[tuple[type, str, type]] = [
    (HttpToolsProtocol, "loop", asyncio.AbstractEventLoop),
    (HttpToolsProtocol, "parser", HttpRequestParser),
    (HttpToolsProtocol, "server_state", ServerState),
    (HttpToolsProtocol, "pipeline", deque),
    (HttpToolsProtocol, "transport", NoneType),
    (HttpToolsProtocol, "cycle", NoneType),
    (HttpToolsProtocol, "scope", dict),
    (HttpToolsProtocol, "headers", list),
    (HttpToolsProtocol, "url", bytes),
    (ServerState, "default_headers", list),
    (RequestResponseCycle, "disconnected", bool),
    (RequestResponseCycle, "keep_alive", bool),
    (RequestResponseCycle, "transport", asyncio.Transport),
    (RequestResponseCycle, "message_event", asyncio.Event),
    (RequestResponseCycle, "more_body", bool),
    (RequestResponseCycle, "response_started", bool),
    (RequestResponseCycle, "response_complete", bool),
    (WebSocketsSansIOProtocol, "loop", asyncio.AbstractEventLoop),
    (WebSocketsSansIOProtocol, "logger", object),
    (WebSocketsSansIOProtocol, "transport", NoneType),
    (WebSocketsSansIOProtocol, "conn", ServerProtocol),
    (WebSocketsSansIOProtocol, "queue", asyncio.Queue),
    (WebSocketsSansIOProtocol, "writable", asyncio.Event),
    (WebSocketsSansIOProtocol, "frames", list),
    (WebSocketsSansIOProtocol, "curr_msg_data_type", str),
    (WebSocketsSansIOProtocol, "handshake_complete", bool),
    (WebSocketsSansIOProtocol, "close_sent", bool),
    (WebSocketsSansIOProtocol, "disconnected", bool),
    (WebSocketsSansIOProtocol, "close_timer", NoneType),
    (ServerProtocol, "state", State),
    (ServerProtocol, "extensions", list),
    (ServerProtocol, "close_sent", NoneType),
]


def qualified(value: object) -> str | None:
    return value.__qualname__ if isinstance(value, type) else None


def parameters(method: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(method).parameters if name != "self"]


@pytest.mark.parametrize(("owner", "name", "expected"), OVERRIDDEN, ids=qualified)
def test_overridden_methods_have_the_known_signature(
    owner: type, name: str, expected: list[str]
) -> None:
    assert parameters(getattr(owner, name)) == expected


@pytest.mark.parametrize(
    ("ours", "base"),
    [
        (HTTPProtocol, HttpToolsProtocol),
        (WebSocketProtocol, WebSocketsSansIOProtocol),
        (UpgradeIgnoringParser, HttpRequestParser),
    ],
)
def test_the_table_lists_all_overridden_methods(ours: type, base: type) -> None:
    classes = [each for each in (ours, WriteTimeoutMixin) if issubclass(ours, each)]
    defined = {name for each in classes for name in vars(each)}
    overridden = {name for name in defined if callable(getattr(base, name, None))}
    listed = {name for owner, name, _ in OVERRIDDEN if owner is base}
    assert overridden - {"__init__"} == listed - {"__init__"}


@pytest.mark.parametrize(("owner", "name", "keywords"), CALLED, ids=qualified)
def test_called_methods_accept_our_arguments(owner: type, name: str, keywords: list[str]) -> None:
    inspect.signature(getattr(owner, name)).bind(None, **dict.fromkeys(keywords))


@pytest.mark.parametrize(("owner", "name", "kind"), ATTRIBUTES, ids=qualified)
def test_attributes_have_the_known_type(owner: type, name: str, kind: type) -> None:
    assert isinstance(getattr(asyncio.run(instances())[owner], name), kind)


async def instances() -> dict[type, object]:
    """One new instance of each class; the HTTP protocol has started a message."""
    config, state = configure(), ServerState()
    http = HttpToolsProtocol(config, state, {})
    http.on_message_begin()
    websocket = WebSocketsSansIOProtocol(config, state, {})
    cycle = RequestResponseCycle(
        scope=http.scope,
        transport=asyncio.Transport(),
        flow=FlowControl(asyncio.Transport()),
        logger=http.logger,
        access_logger=http.access_logger,
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
        on_response=lambda: None,
    )
    found = (http, state, cycle, websocket, websocket.conn)
    return {type(each): each for each in found}


async def application(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


def configure() -> Config:
    return Config(application, http=str(DEFAULTS["http"]), ws=str(DEFAULTS["ws"]), log_config=None)


def test_uvicorn_loads_our_protocols() -> None:
    config = configure()
    config.load()
    assert config.http_protocol_class is HTTPProtocol
    assert config.ws_protocol_class is WebSocketProtocol


def test_the_command_line_takes_our_defaults() -> None:
    context = uvicorn.main.make_context("uvicorn", ["project:app"], default_map=DEFAULTS)
    assert {name: context.params[name] for name in DEFAULTS} == DEFAULTS


def test_the_parser_tells_where_the_upgraded_data_begins() -> None:
    head = b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    with pytest.raises(HttpParserUpgrade) as error:
        HttpRequestParser(object()).feed_data(head + b"rest")
    assert error.value.args == (len(head),)


def test_websockets_has_the_names_that_we_use() -> None:
    assert CloseCode.INVALID_DATA.value == 1007
    assert State.OPEN.name == "OPEN"
    assert Frame(Opcode.TEXT, b"text").data == b"text"


def test_the_installed_uvicorn_is_the_pinned_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = f"uvicorn=={version('uvicorn')}"
    assert pinned in project["dependencies"]
    assert pinned in (ROOT / "constraints.txt").read_text().splitlines()
