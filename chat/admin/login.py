"""The admin's login form, rate limited against password guessing."""

import contextlib
import logging
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError

from chat.accounts import client_ip, logins
from chat.domain.errors import RateLimited, StoreFull, StoreUnavailable

logger = logging.getLogger(__name__)


class LoginForm(AdminAuthenticationForm):
    """Django's form, but attempts above the limit are rejected before the password is checked."""

    def clean(self) -> dict[str, Any]:
        """Apply the rate limit, then check the password; log rejected and failed attempts."""
        address = client_ip.client_address(self.request.META) if self.request else client_ip.LOCAL
        username = str(self.cleaned_data.get("username", ""))
        try:
            with logins.attempt(username=username, address=address):
                cleaned = self._check_password(address)
        except RateLimited as error:
            # The user name is not logged: it may be a password typed into the wrong field.
            logger.warning("Too many admin login attempts from %s", address)
            wait = f"Too many attempts. Try again in {error.retry_after:.0f} s."
            raise ValidationError(wait, code="too_many") from error
        except StoreUnavailable as error:
            raise ValidationError(error.message, code="store_unavailable") from error
        with contextlib.suppress(StoreFull, StoreUnavailable):
            logins.record_success(username=username, address=address)
        return cleaned

    def _check_password(self, address: str) -> dict[str, Any]:
        try:
            return super().clean()
        except ValidationError:
            logger.warning("Failed admin login from %s", address)
            raise
