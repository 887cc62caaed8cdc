"""What describes the API: its OpenAPI schema, and a page to read and try it."""

from functools import cache
from threading import Lock

import orjson
from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request

from chat.api import responses
from chat.api.views.base import View

# The generator loads its extensions as it goes, which two threads spoil for each other.
_generating = Lock()


@cache
def schema() -> bytes:
    """Return the schema as JSON; it is the same for the life of the process."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    return orjson.dumps(generator.get_schema(public=True))  # type: ignore[no-untyped-call]


class Schema(View):
    """The OpenAPI schema."""

    needs_token = False
    schema = None

    def get(self, _: Request) -> HttpResponse:
        """Give the schema."""
        with _generating:
            return responses.json(schema())


class Docs(View):
    """The page of Swagger UI, whose files are our own."""

    needs_token = False
    schema = None

    def get(self, _: Request) -> HttpResponse:
        """Give the page."""
        return render(self.django_request, "chat/docs.html")
