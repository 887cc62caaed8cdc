"""Users of tenants."""

from django.http import HttpResponse
from rest_framework.request import Request

from chat.accounts import read_limits
from chat.api import auth, query_params, responses, schema_serializers
from chat.api.schema import RATE_ERRORS, openapi
from chat.api.views.base import View
from chat.conversation import users


class User(View):
    @openapi({200: schema_serializers.ErasedUser}, errors=RATE_ERRORS)
    def delete(self, _: Request, user: str) -> HttpResponse:
        """Delete everything that is stored of a user."""
        query_params.reject_query(self.django_request.GET)
        principal = auth.authenticate_user(self.django_request.META, user)
        read_limits.check_principal(principal)
        return responses.json(b'{"deleted_sessions":%d}' % users.erase(principal))
