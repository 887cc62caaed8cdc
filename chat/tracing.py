"""Spans of a turn, from the POST to its outcome: one trace across all processes.

The trace's parent is stored with the turn, so a worker finds it whether a task or the sweeper wakes
it. Without a tracer nothing is recorded. Spans contain no content; of an error they contain the
code.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    format_trace_id,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chat.domain.errors import ParleyError

__all__ = ["NO_SPAN", "Span", "SpanKind", "tracing"]

NO_SPAN: AbstractContextManager[Span] = nullcontext(INVALID_SPAN)
NANOSECONDS = 1_000_000_000
W3C = TraceContextTextMapPropagator()


class Tracing:
    """The tracer of this process, if there is one."""

    def __init__(self) -> None:
        self._tracer: Tracer | None = None

    def set_tracer(self, tracer: Tracer | None) -> None:
        self._tracer = tracer

    def span(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: str = "",
        **attributes: str | int,
    ) -> AbstractContextManager[Span]:
        """Record a span around the block.

        parent: the `traceparent` of another process; without one it is the current span.
        attributes: `a__b` stands for `a.b`; `a` alone for `parley.a`.
        """
        if self._tracer is None:
            return NO_SPAN
        return _span(self._tracer, name, kind, parent, attributes)

    def record_span(
        self, name: str, *, start: float, end: float, parent: str, **attributes: str | int
    ) -> None:
        """Record a span that is over; times are seconds since the epoch."""
        if self._tracer is None:
            return
        self._tracer.start_span(
            name,
            context=W3C.extract({"traceparent": parent}),
            attributes=_qualify(attributes),
            start_time=round(start * NANOSECONDS),
        ).end(round(end * NANOSECONDS))

    def inject(self) -> dict[str, str]:
        """Return the header `traceparent` of the current span, or nothing without a span."""
        carrier: dict[str, str] = {}
        if self._tracer is not None:
            W3C.inject(carrier)
        return {name: value for name, value in carrier.items() if name == "traceparent"}

    def log_fields(self) -> dict[str, str]:
        """Return the current trace's id for log records."""
        if self._tracer is None:
            return {}
        context = get_current_span().get_span_context()
        return {"trace_id": format_trace_id(context.trace_id)} if context.is_valid else {}


@contextmanager
def _span(
    tracer: Tracer, name: str, kind: SpanKind, parent: str, attributes: Mapping[str, str | int]
) -> Iterator[Span]:
    with tracer.start_as_current_span(
        name,
        context=W3C.extract({"traceparent": parent}) if parent else None,
        kind=kind,
        attributes=_qualify(attributes),
        # Both would record the exception's message, which may quote content.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except ParleyError as error:
            span.set_status(Status(StatusCode.ERROR, error.code))
            raise


def _qualify(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    return {
        name.replace("__", ".") if "__" in name else f"parley.{name}": value
        for name, value in attributes.items()
    }


# The tracing of this process.
tracing = Tracing()
