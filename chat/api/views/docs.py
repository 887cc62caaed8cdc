"""The OpenAPI schema, and Swagger UI."""

from functools import cache
from threading import Lock

import orjson
from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request

from chat.api import responses
from chat.api.views.base import View

# The generator is not thread-safe: it loads its extensions lazily.
_generating = Lock()


@cache
def schema() -> bytes:
    """Return the schema as JSON."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    return orjson.dumps(generator.get_schema(public=True))  # type: ignore[no-untyped-call]


class Schema(View):
    """The OpenAPI schema."""

    needs_token = False
    schema = None

    def get(self, _: Request) -> HttpResponse:
        with _generating:
            return responses.json(schema())


class Docs(View):
    """Swagger UI, with all its files served from here."""

    needs_token = False
    schema = None

    def get(self, _: Request) -> HttpResponse:
        return render(self.django_request, "chat/docs.html")
