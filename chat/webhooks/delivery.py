"""Telling webhooks of the ends of turns: signed as Standard Webhooks has it, at least once.

That a delivery is owed stands in the outbox from the very act that ends the turn, so it survives
whatever becomes of the process that tries it. A delivery that is tried again bears the same id.
"""

import base64
import hashlib
import hmac
import logging
import random
from collections.abc import Sequence
from http import HTTPStatus

import requests

from chat.domain import Caller, Delivered, Delivery, DeliveryRecord, DeliveryStatus
from chat.domain.errors import ForbiddenURL, InvalidRequest, StoreUnavailable
from chat.domain.ids import message_number, random_id
from chat.env_parsers import parse_webhook_secrets
from chat.http import ssrf
from chat.http.retry_after import retry_after
from chat.logging import log_context
from chat.settings import chat_settings
from chat.store import outbox

logger = logging.getLogger(__name__)

# By which the wait before each further try is multiplied.
GROWTH = 4
# Of the timeouts: how long a try is nobody else's. The look-up of a name knows no timeout.
LEASE = 3.0


def permitted(url: str | None) -> str | None:
    """Return the URL that a session may have as its webhook.

    Raises:
        InvalidRequest: sessions may have none here.
        ForbiddenURL: this one may not be called.
    """
    if url is None:
        return None
    if not (chat_settings.WEBHOOK_SECRETS and chat_settings.SESSION_WEBHOOKS):
        raise InvalidRequest("Sessions have no webhooks of their own here.", param="webhook_url")
    ssrf.check(url, param="webhook_url")
    return url


def deliver(session_id: str, number: int) -> None:
    """Try to tell the webhook of the end of the turn whose reply has this number, if it is due."""
    with log_context(session=session_id, turn=number // 2):
        _deliver(session_id, number)


def _deliver(session_id: str, number: int) -> None:
    nonce = random_id()
    try:
        delivery = outbox.claim(
            session_id, number, nonce=nonce, lease=LEASE * chat_settings.WEBHOOK_TIMEOUT
        )
        if delivery is None:
            return
        with log_context(request_id=delivery.request_id, attempt=delivery.turn_attempt):
            result = _result(delivery, *_answer(delivery))
            told = result.status if outbox.finish(delivery, result) else "too late"
            logger.info("Webhook: try %d: %s, %s", delivery.attempt, result.code, told)
    except StoreUnavailable as error:
        logger.warning("A delivery has to wait: %s", error.__cause__)


def _answer(delivery: Delivery) -> tuple[str, float | None]:
    """Send it; return the answer's status, or what there was instead of one, and its Retry-After.

    Nothing of the answer's body is read.
    """
    url = delivery.url or chat_settings.WEBHOOK_URL
    try:
        with (
            ssrf.session(is_trusted=delivery.url is None) as http,
            ssrf.within(chat_settings.WEBHOOK_TIMEOUT),
            http.post(
                url,
                data=delivery.event,
                headers=_headers(delivery),
                timeout=chat_settings.WEBHOOK_TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as answer,
        ):
            return str(answer.status_code), retry_after(answer.headers)
    except ForbiddenURL:
        return "forbidden", None
    except requests.Timeout:
        return "timeout", None
    except requests.exceptions.SSLError:
        return "untrusted", None
    except (requests.RequestException, ValueError):
        return "unreachable", None


def _headers(delivery: Delivery) -> dict[str, str]:
    webhook_id = f"{delivery.session_id}_msg_{delivery.number}"
    timestamp = str(int(delivery.now))
    return {
        "Content-Type": "application/json",
        "User-Agent": "Parley",
        "Connection": "close",
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signatures(webhook_id, timestamp, delivery.event),
    }


def signatures(webhook_id: str, timestamp: str, body: bytes) -> str:
    """Return the signatures of a call by all secrets, as Standard Webhooks writes them."""
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    digests = [
        hmac.digest(secret, signed, hashlib.sha256)
        for secret in parse_webhook_secrets(chat_settings.WEBHOOK_SECRETS)
    ]
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


def _result(delivery: Delivery, code: str, asked: float | None) -> Delivered:
    """Decide what becomes of a delivery that met with this."""
    if code.startswith("2"):
        return Delivered(status=DeliveryStatus.DELIVERED, code=code)
    if code == str(HTTPStatus.GONE.value) and delivery.url:
        return Delivered(status=DeliveryStatus.DISABLED, code=code)
    if delivery.attempt >= chat_settings.WEBHOOK_MAX_ATTEMPTS:
        return Delivered(status=DeliveryStatus.FAILED, code=code)
    wait = delay(delivery.attempt, asked)
    return Delivered(status=DeliveryStatus.PENDING, code=code, delay=wait)


def delay(attempt: int, asked: float | None = None) -> float:
    """Return seconds from a failed try until the next.

    They grow with the number of tries, are spread by a fifth so that what failed together does
    not come again together, and are no fewer than the receiver asked for.
    """
    wait: float = chat_settings.WEBHOOK_BACKOFF * GROWTH ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311
    most: float = chat_settings.WEBHOOK_MAX_BACKOFF
    return min(max(wait, asked or 0.0), most)


def records(session_id: str) -> Sequence[DeliveryRecord]:
    """Return how the session's deliveries stand, the newest first.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    return outbox.list_deliveries(Caller(session_id=session_id))


def redeliver(session_id: str, message_id: str) -> bool:
    """Have the webhook told of the end of this turn once more, beginning with the next sweep.

    False when a try is on, or about to be.

    Raises:
        MessageNotFound: nothing was delivered for this reply, or its text is gone.
        InvalidRequest: there is no webhook any more.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    return outbox.retry(Caller(session_id=session_id), message_number(message_id))
