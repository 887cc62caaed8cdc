"""Webhook signatures, as specified by Standard Webhooks."""

import base64
import hashlib
import hmac

from chat.env_parsers import parse_webhook_secrets
from chat.settings import chat_settings


def sign(webhook_id: str, timestamp: str, body: bytes) -> str:
    """Return the `webhook-signature` header: one signature per secret, separated by blanks."""
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    digests = [
        hmac.digest(secret, signed, hashlib.sha256)
        for secret in parse_webhook_secrets(chat_settings.WEBHOOK_SECRETS)
    ]
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)
