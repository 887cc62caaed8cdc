"""Models and health checks, which need no token."""

import orjson
from django.http import HttpResponse
from rest_framework.request import Request

from chat.api import query_params, responses, schema_serializers
from chat.api.schema import WITHOUT_STORE_ERRORS, openapi
from chat.api.views.base import View
from chat.conversation import llms
from chat.operations import health


class Models(View):
    needs_token = False

    @openapi({200: schema_serializers.ModelList}, needs_token=False, common=WITHOUT_STORE_ERRORS)
    def get(self, _: Request) -> HttpResponse:
        """List the models."""
        query_params.no_query(self.django_request.GET)
        return responses.json(orjson.dumps({"data": llms.describe_all()}))


class Live(View):
    needs_token = False

    @openapi({200: schema_serializers.Health}, needs_token=False, common=WITHOUT_STORE_ERRORS)
    def get(self, _: Request) -> HttpResponse:
        """Check that the web process responds."""
        query_params.no_query(self.django_request.GET)
        return responses.json(b'{"status":"ok"}')


class Ready(View):
    needs_token = False

    @openapi({200: schema_serializers.Health}, needs_token=False)
    def get(self, _: Request) -> HttpResponse:
        """Check that Redis is available; 503 if it is not."""
        query_params.no_query(self.django_request.GET)
        health.ping()
        return responses.json(b'{"status":"ok"}')
