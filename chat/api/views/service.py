"""Models and health checks, which require no token."""

from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.request import Request

from chat.accounts import read_limits
from chat.api import auth, query_params, responses, schema_serializers
from chat.api.schema import PROBE_ERRORS, SESSION_ERRORS, WITHOUT_STORE_ERRORS, openapi
from chat.api.views.base import View
from chat.conversation import llms, policies
from chat.operations import health

OK = b'{"status":"ok"}'


class Models(View):
    needs_token = False

    @openapi({200: schema_serializers.ModelList}, needs_token=False, errors=SESSION_ERRORS)
    def get(self, _: Request) -> HttpResponse:
        """List the models that the client may use."""
        query_params.reject_query(self.django_request.GET)
        client = auth.optional_client(self.django_request.META)
        if client is not None:
            read_limits.check_client(client, self.django_request.META)
        models = policies.usable_models(client)
        return responses.json(orjson.dumps({"data": [*map(llms.describe, models)]}))


class Probe(View):
    """A health check. It accepts the queries and methods of load balancers."""

    http_method_names = ["get", "head", "options"]
    needs_token = False

    def options(self, *_args: Any, **_kwargs: Any) -> Any:
        """Respond like GET: HAProxy checks with OPTIONS."""
        return self.get(self.request)

    def get(self, _: Request) -> HttpResponse:
        raise NotImplementedError


class Live(Probe):
    @openapi({200: schema_serializers.Health}, needs_token=False, common=WITHOUT_STORE_ERRORS)
    def get(self, _: Request) -> HttpResponse:
        """Check that the web process responds."""
        return responses.json(OK)


class Ready(Probe):
    @openapi({200: schema_serializers.Health}, needs_token=False, common=PROBE_ERRORS)
    def get(self, _: Request) -> HttpResponse:
        """Check that Redis is available; 503 if it is not."""
        health.ping()
        return responses.json(OK)
