"""Which function answers for which fault."""

from collections.abc import Awaitable, Callable

from fakemodel.behaviour import Fault
from fakemodel.exchange import Exchange, answer_well
from fakemodel.faults import edge_cases, error_responses, incomplete, malformed, oversized

FAULTS: dict[Fault, Callable[[Exchange], Awaitable[None]]] = {
    Fault.STATUS: error_responses.status,
    Fault.HTML: error_responses.html,
    Fault.REDIRECT: error_responses.redirect,
    Fault.NOT_HTTP: error_responses.not_http,
    Fault.REFUSE: incomplete.refuse,
    Fault.HANG: incomplete.hang,
    Fault.STALL: incomplete.stall,
    Fault.DRIP: incomplete.drip,
    Fault.CUT: incomplete.cut,
    Fault.RESET: incomplete.reset,
    Fault.NO_END: incomplete.no_end,
    Fault.NO_DONE: incomplete.no_done,
    Fault.ERROR_EVENT: incomplete.error_event,
    Fault.BROKEN: malformed.broken,
    Fault.BAD_UTF8: malformed.bad_utf8,
    Fault.SURROGATE: malformed.surrogate,
    Fault.BLANK: malformed.blank,
    Fault.WRONG_TYPE: malformed.wrong_type,
    Fault.GZIP_BOMB: oversized.gzip_bomb,
    Fault.HUGE: oversized.huge,
    Fault.LONG_LINE: oversized.long_line,
    Fault.ENDLESS: oversized.endless,
    Fault.UNKNOWN_FIELDS: edge_cases.unknown_fields,
    Fault.ODD_SSE: edge_cases.odd_sse,
    Fault.SPLIT: edge_cases.split,
    Fault.UNTIL_CLOSE: edge_cases.until_close,
    # The reply itself is what is wrong with these; it is sent as it should be.
    Fault.EMPTY: answer_well,
    Fault.LENGTH: answer_well,
    Fault.CONTENT_FILTER: answer_well,
    Fault.NO_USAGE: answer_well,
}


async def answer(exchange: Exchange) -> None:
    """Answer as the call's behaviour says; raises CallerGone, or Refused for an HTTP error."""
    await exchange.line.pause_if(exchange.vary(exchange.behaviour.latency or 0.0))
    fault = exchange.behaviour.fault
    if fault is None:
        await answer_well(exchange)
        return
    exchange.line.entry.fault = fault
    await FAULTS[fault](exchange)
