"""Which function sends which fault."""

from collections.abc import Awaitable, Callable

from fakemodel.behaviour import Fault
from fakemodel.exchange import Exchange, send_reply
from fakemodel.faults import edge_cases, error_responses, incomplete, malformed, oversized

FAULTS: dict[Fault, Callable[[Exchange], Awaitable[None]]] = {
    Fault.STATUS: error_responses.status,
    Fault.TOO_LONG: error_responses.too_long,
    Fault.HTML: error_responses.html,
    Fault.REDIRECT: error_responses.redirect,
    Fault.NOT_HTTP: error_responses.not_http,
    Fault.DISCONNECT: incomplete.disconnect,
    Fault.HANG: incomplete.hang,
    Fault.STALL: incomplete.stall,
    Fault.DRIP: incomplete.drip,
    Fault.CUT: incomplete.cut,
    Fault.RESET: incomplete.reset,
    Fault.NO_FINISH_REASON: incomplete.no_finish_reason,
    Fault.NO_DONE: incomplete.no_done,
    Fault.ERROR_EVENT: incomplete.error_event,
    Fault.INVALID_JSON: malformed.invalid_json,
    Fault.INVALID_UTF8: malformed.invalid_utf8,
    Fault.LONE_SURROGATE: malformed.lone_surrogate,
    Fault.EMPTY_BODY: malformed.empty_body,
    Fault.WRONG_CONTENT_TYPE: malformed.wrong_content_type,
    Fault.GZIP_BOMB: oversized.gzip_bomb,
    Fault.HUGE: oversized.huge,
    Fault.LONG_LINE: oversized.long_line,
    Fault.ENDLESS: oversized.endless,
    Fault.UNKNOWN_FIELDS: edge_cases.unknown_fields,
    Fault.UNUSUAL_SSE: edge_cases.unusual_sse,
    Fault.SPLIT: edge_cases.split,
    Fault.CLOSE_DELIMITED: edge_cases.close_delimited,
    # These faults are in the reply itself, which is sent correctly.
    Fault.EMPTY_REPLY: send_reply,
    Fault.LENGTH: send_reply,
    Fault.CONTENT_FILTER: send_reply,
    Fault.NO_USAGE: send_reply,
}


async def send_response(exchange: Exchange) -> None:
    """Send the response after the latency of the behaviour, with or without a fault.

    Raises:
        APIError: the fault is an HTTP error.
        ClientDisconnected: the client closed the connection.
    """
    await exchange.connection.sleep(exchange.with_jitter(exchange.behaviour.latency or 0.0))
    fault = exchange.behaviour.fault
    if fault is None:
        await send_reply(exchange)
        return
    exchange.connection.record.fault = fault
    await FAULTS[fault](exchange)
