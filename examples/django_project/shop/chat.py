"""The chat: a page with the user's session, and the webhook that receives the replies."""

import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping

import requests
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from shop import settings

logger = logging.getLogger(__name__)

TIMEOUT = 10  # seconds
MAX_AGE = 300  # seconds


@login_required
def support(request: HttpRequest) -> HttpResponse:
    """Show the chat of the user. The browser gets the token of this session, never the API key."""
    if "chat_token" not in request.session:
        request.session["chat_token"] = open_session(request.user.get_username())
    context = {"parley": settings.PARLEY_URL, "token": request.session["chat_token"]}
    return render(request, "support.html", context)


def open_session(user: str) -> str:
    """Open a session for a user; return its token."""
    response = requests.post(
        f"{settings.PARLEY_URL}/sessions",
        json={
            "name": user,
            "system_prompt": "You help the customers of our shop.",
            "webhook_url": f"{settings.SHOP_URL}/chat/replies",
        },
        headers={"Authorization": f"Bearer {settings.PARLEY_API_KEY}", "Parley-User": user},
        timeout=TIMEOUT,
    )
    response.raise_for_status()
    token: str = response.json()["token"]
    return token


@csrf_exempt  # the signature protects it
@require_POST
def receive_reply(request: HttpRequest) -> HttpResponse:
    """Receive the reply of a session, when it has ended."""
    if not is_signed(request.headers, request.body):
        return HttpResponse(status=401)
    event = json.loads(request.body)
    # Parley repeats a webhook whose response was lost: make this idempotent by its webhook-id.
    logger.warning("%s: %s", event["type"], event["message"]["content"])
    return HttpResponse(status=204)


def is_signed(headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether Parley has signed this request within the last five minutes."""
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > MAX_AGE:
        return False
    key = base64.b64decode(settings.PARLEY_WEBHOOK_SECRET.removeprefix("whsec_"))
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    signatures = headers.get("webhook-signature", "").encode().split()
    return any(hmac.compare_digest(expected, each) for each in signatures)
