"""What is told to everybody: models, and whether Parley lives and is ready."""

import orjson
from django.http import HttpResponse
from rest_framework.request import Request

from chat.api import answers, outputs, queries
from chat.api.schema import STORELESS, documented
from chat.api.views.base import View
from chat.services import health, models


class Models(View):
    """The models that a session may name."""

    needs_token = False

    @documented({200: outputs.ModelList}, needs_token=False, usual=STORELESS)
    def get(self, _: Request) -> HttpResponse:
        """List the models."""
        queries.nothing(self.raw.GET)
        return answers.json(orjson.dumps({"data": models.described()}))


class Live(View):
    """Whether this process answers."""

    needs_token = False

    @documented({200: outputs.Health}, needs_token=False, usual=STORELESS)
    def get(self, _: Request) -> HttpResponse:
        """Say so."""
        queries.nothing(self.raw.GET)
        return answers.json(b'{"status":"ok"}')


class Ready(View):
    """Whether this process can do its work."""

    needs_token = False

    @documented({200: outputs.Health}, needs_token=False)
    def get(self, _: Request) -> HttpResponse:
        """Ask the store; 503 when it is down."""
        queries.nothing(self.raw.GET)
        health.ping()
        return answers.json(b'{"status":"ok"}')
