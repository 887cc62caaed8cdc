"""What is told to everybody: models, and whether Parley lives and is ready."""

import orjson
from django.http import HttpResponse
from rest_framework.request import Request

from chat.api import query_params, responses, schema_serializers
from chat.api.schema import WITHOUT_STORE_ERRORS, openapi
from chat.api.views.base import View
from chat.conversation import llms
from chat.operations import health


class Models(View):
    """The models that a session may name."""

    needs_token = False

    @openapi({200: schema_serializers.ModelList}, needs_token=False, common=WITHOUT_STORE_ERRORS)
    def get(self, _: Request) -> HttpResponse:
        """List the models."""
        query_params.no_query(self.django_request.GET)
        return responses.json(orjson.dumps({"data": llms.describe_all()}))


class Live(View):
    """Whether this process answers."""

    needs_token = False

    @openapi({200: schema_serializers.Health}, needs_token=False, common=WITHOUT_STORE_ERRORS)
    def get(self, _: Request) -> HttpResponse:
        """Say so."""
        query_params.no_query(self.django_request.GET)
        return responses.json(b'{"status":"ok"}')


class Ready(View):
    """Whether this process can do its work."""

    needs_token = False

    @openapi({200: schema_serializers.Health}, needs_token=False)
    def get(self, _: Request) -> HttpResponse:
        """Ask the store; 503 when it is down."""
        query_params.no_query(self.django_request.GET)
        health.ping()
        return responses.json(b'{"status":"ok"}')
