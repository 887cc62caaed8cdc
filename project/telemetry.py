"""Sends spans to an OpenTelemetry collector; imported only if one is configured.

The SDK reads its own variables: endpoint, headers, sampler and batches
(https://opentelemetry.io/docs/specs/otel/configuration).
"""

import os

from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from chat.tracing import tracing


def start() -> None:
    """Record spans in this process; a background thread sends them in batches."""
    attributes = {"service.name": settings.OTEL_SERVICE_NAME, "process.pid": os.getpid()}
    provider = TracerProvider(resource=Resource.create(attributes))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracing.set_tracer(provider.get_tracer("parley"))
