"""Which function answers for which fault."""

from collections.abc import Awaitable, Callable

from chat.devmodel.behaviour import Fault
from chat.devmodel.exchange import Exchange, answer_well
from chat.devmodel.faults import breaks, bulk, garbage, oddities, refusals

FAULTS: dict[Fault, Callable[[Exchange], Awaitable[None]]] = {
    Fault.STATUS: refusals.status,
    Fault.HTML: refusals.html,
    Fault.REDIRECT: refusals.redirect,
    Fault.NOT_HTTP: refusals.not_http,
    Fault.REFUSE: breaks.refuse,
    Fault.HANG: breaks.hang,
    Fault.STALL: breaks.stall,
    Fault.DRIP: breaks.drip,
    Fault.CUT: breaks.cut,
    Fault.RESET: breaks.reset,
    Fault.NO_END: breaks.no_end,
    Fault.NO_DONE: breaks.no_done,
    Fault.ERROR_EVENT: breaks.error_event,
    Fault.BROKEN: garbage.broken,
    Fault.BAD_UTF8: garbage.bad_utf8,
    Fault.SURROGATE: garbage.surrogate,
    Fault.BLANK: garbage.blank,
    Fault.WRONG_TYPE: garbage.wrong_type,
    Fault.GZIP_BOMB: bulk.gzip_bomb,
    Fault.HUGE: bulk.huge,
    Fault.LONG_LINE: bulk.long_line,
    Fault.ENDLESS: bulk.endless,
    Fault.UNKNOWN_FIELDS: oddities.unknown_fields,
    Fault.ODD_SSE: oddities.odd_sse,
    Fault.SPLIT: oddities.split,
    Fault.UNTIL_CLOSE: oddities.until_close,
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
