"""Sending spans to an OpenTelemetry collector; imported only where one is named.

The SDK reads its own variables (https://opentelemetry.io/docs/specs/otel/configuration): endpoint,
headers, sampler, batches.
"""

import os

from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from chat.tracing import tracing


def start() -> None:
    """Record spans in this process, and send them in batches from a thread of its own."""
    about = {"service.name": settings.OTEL_SERVICE_NAME, "process.pid": os.getpid()}
    provider = TracerProvider(resource=Resource.create(about))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracing.start(provider.get_tracer("parley"))
