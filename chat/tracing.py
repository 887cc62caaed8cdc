"""Spans of a turn, from the POST to the commit: one trace, whichever processes take part.

The trace's parent is kept with the turn, so that it is the same whether a task or a sweep wakes the
worker. Without a tracer nothing is recorded, and a span costs a call. No span holds content: what
is told of errors is their code.
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
"""The span of a process that records none."""
NANOSECONDS = 1_000_000_000
W3C = TraceContextTextMapPropagator()


class Tracing:
    """The tracer of this process, if it has one."""

    def __init__(self) -> None:
        self._tracer: Tracer | None = None

    def set_tracer(self, tracer: Tracer | None) -> None:
        """Record spans by this tracer from now on; by none, record nothing."""
        self._tracer = tracer

    def span(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: str = "",
        **attributes: str | int,
    ) -> AbstractContextManager[Span]:
        """Record what is done meanwhile.

        parent: the `traceparent` of another process; without one it is the current span.
        """
        if self._tracer is None:
            return NO_SPAN
        return _span(self._tracer, name, kind, parent, attributes)

    def record_span(
        self, name: str, *, start: float, end: float, parent: str, **attributes: str | int
    ) -> None:
        """Record what has been, with its times in seconds since the epoch."""
        if self._tracer is None:
            return
        self._tracer.start_span(
            name,
            context=W3C.extract({"traceparent": parent}),
            attributes=_qualify(attributes),
            start_time=round(start * NANOSECONDS),
        ).end(round(end * NANOSECONDS))

    def inject(self) -> dict[str, str]:
        """Return the current span as the header `traceparent`, to be another one's parent."""
        carrier: dict[str, str] = {}
        if self._tracer is not None:
            W3C.inject(carrier)
        return {name: value for name, value in carrier.items() if name == "traceparent"}

    def log_fields(self) -> dict[str, str]:
        """Return the trace's id, for lines of the log."""
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
        # Both would take the exception's text, which may quote a stranger.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except ParleyError as error:
            span.set_status(Status(StatusCode.ERROR, error.code))
            raise


def _qualify(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    """Return attributes by their full names: those without a dot are Parley's own."""
    return {
        name.replace("__", ".") if "__" in name else f"parley.{name}": value
        for name, value in attributes.items()
    }


tracing = Tracing()
"""This process's."""
