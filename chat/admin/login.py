"""Signing in, at a pace at which no password can be guessed."""

import logging
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError

from chat.accounts import client_ip
from chat.conversation import staff
from chat.domain.errors import RateLimited, StoreUnavailable

logger = logging.getLogger(__name__)


class SignInForm(AdminAuthenticationForm):
    """Django's own, but it looks at no password when too many were tried."""

    def clean(self) -> dict[str, Any]:
        """Refuse what comes too fast, and write each refusal to the process's log."""
        address = client_ip.client_address(self.request.META) if self.request else client_ip.LOCAL
        username = str(self.cleaned_data.get("username", ""))
        try:
            staff.check_sign_in_rate(username=username, address=address)
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
