"""Signing in, at a pace at which no password can be guessed."""

import logging
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from chat.conf import knobs
from chat.errors import RateLimited, StoreUnavailable
from chat.services import staff

logger = logging.getLogger(__name__)


class SignInForm(AdminAuthenticationForm):
    """Django's own, but it looks at no password when too many were tried."""

    def clean(self) -> dict[str, Any]:
        """Refuse what comes too fast, and write each refusal to the process's log."""
        address = address_of(self.request) if self.request else ""
        username = str(self.cleaned_data.get("username", ""))
        try:
            staff.pace_sign_in(username=username, address=address)
        except RateLimited as error:
            # The name may be a password that was typed into the wrong field.
            logger.warning("Too many attempts to sign in to the admin from %s", address)
            wait = f"Too many attempts. Try again in {error.retry_after:.0f} s."
            raise ValidationError(wait, code="too_many") from error
        except StoreUnavailable as error:
            raise ValidationError(error.message, code="store_unavailable") from error
        try:
            return super().clean()
        except ValidationError:
            logger.warning("An attempt to sign in to the admin failed, from %s", address)
            raise


def address_of(request: HttpRequest) -> str:
    """Return who asks: the peer, or what the trusted proxies say of theirs."""
    told = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < knobs.TRUSTED_PROXIES <= len(told):
        return ascii(told[-knobs.TRUSTED_PROXIES].strip())
    return str(request.META.get("REMOTE_ADDR", ""))
