"""Webhook delivery: signed calls at the end of each turn, at least once.

The script that ends a turn adds its delivery to the outbox. A delivery therefore survives the
process that attempts it. Every attempt at a delivery has the same `webhook-id`.
"""

import logging
import random
import ssl
from collections.abc import Sequence
from http import HTTPStatus

from chat.domain import (
    Caller,
    DeliveryAttempt,
    DeliveryRecord,
    DeliveryResult,
    DeliveryStatus,
    DueDelivery,
)
from chat.domain.errors import ForbiddenURL, InvalidRequest, StoreUnavailable
from chat.domain.ids import message_number, random_id
from chat.http import ssrf
from chat.http.errors import READ_ERRORS, ConnectTimeout
from chat.http.lookups import lookup_threads
from chat.http.loop_connection import Resolve
from chat.http.retry_after import retry_after
from chat.logging import log_context
from chat.settings import chat_settings
from chat.store import outbox
from chat.webhooks.signing import sign

logger = logging.getLogger(__name__)

# Each delay between attempts is this many times the one before.
BACKOFF_FACTOR = 4
# An attempt's lease in the outbox, in multiples of the timeout, which does not cover DNS lookups.
LEASE_FACTOR = 3.0


def validate_url(url: str | None) -> str | None:
    """Return the URL if a session may use it as its webhook.

    Raises:
        InvalidRequest: this deployment does not allow webhooks for sessions.
        ForbiddenURL: the URL is not http(s), or its address is not public.
    """
    if url is None:
        return None
    if not (chat_settings.WEBHOOK_SECRETS and chat_settings.SESSION_WEBHOOKS):
        raise InvalidRequest("Webhooks for sessions are disabled.", param="webhook_url")
    ssrf.check(url, param="webhook_url")
    return url


async def deliver(due: DueDelivery, *, resolve: Resolve = lookup_threads.resolve) -> str | None:
    """Attempt a delivery, if it is due; return the result's code, or `None` without an attempt.

    resolve: returns the addresses to call, which are checked.
    """
    with log_context(session=due.session_id, turn=due.number // 2):
        return await _deliver(due, resolve)


async def _deliver(due: DueDelivery, resolve: Resolve) -> str | None:
    lease = LEASE_FACTOR * chat_settings.WEBHOOK_TIMEOUT
    code = None
    try:
        delivery = await outbox.claim.on_loop(due, nonce=random_id(), lease=lease)
        if delivery is None:
            return None
        with log_context(request_id=delivery.request_id, attempt=delivery.turn_attempt):
            code, delay = await _send(delivery, resolve)
            result = _result(delivery, code, delay)
            is_recorded = await outbox.finish.on_loop(delivery, result)
            status = result.status if is_recorded else "too late"
            logger.info("Webhook: attempt %d: %s, %s", delivery.attempt, result.code, status)
    except StoreUnavailable as error:
        logger.warning("Storage is unavailable; the delivery will be retried: %s", error.__cause__)
    return code


async def _send(delivery: DeliveryAttempt, resolve: Resolve) -> tuple[str, float | None]:
    """Send the call; return the response's status or the kind of error, and its Retry-After.

    The body of the response is not read.
    """
    calling = ssrf.request(
        "POST",
        delivery.url or chat_settings.WEBHOOK_URL,
        _headers(delivery),
        delivery.event,
        deadline=chat_settings.WEBHOOK_TIMEOUT,
        is_trusted=delivery.url is None,
        resolve=resolve,
    )
    try:
        async with calling as response:
            return str(response.status), retry_after(response.headers)
    except ForbiddenURL:
        return "forbidden", None
    except (TimeoutError, ConnectTimeout):
        return "timeout", None
    except ssl.SSLError:
        return "tls_error", None
    except (*READ_ERRORS, ValueError):
        return "unreachable", None


def _headers(delivery: DeliveryAttempt) -> dict[str, str]:
    webhook_id = f"{delivery.session_id}_msg_{delivery.number}"
    timestamp = str(int(delivery.now))
    return {
        "Content-Type": "application/json",
        "User-Agent": "Parley",
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": sign(webhook_id, timestamp, delivery.event),
    }


def _result(delivery: DeliveryAttempt, code: str, delay_requested: float | None) -> DeliveryResult:
    """Decide what follows an attempt that ended with `code`."""
    if code.startswith("2"):
        return DeliveryResult(status=DeliveryStatus.DELIVERED, code=code)
    if code == str(HTTPStatus.GONE.value) and delivery.url:
        return DeliveryResult(status=DeliveryStatus.DISABLED, code=code)
    if delivery.attempt >= chat_settings.WEBHOOK_MAX_ATTEMPTS:
        return DeliveryResult(status=DeliveryStatus.FAILED, code=code)
    delay = backoff(delivery.attempt, delay_requested)
    return DeliveryResult(status=DeliveryStatus.PENDING, code=code, delay=delay)


def backoff(attempt: int, delay_requested: float | None = None) -> float:
    """Return seconds between a failed attempt and the next.

    The delay grows with each attempt and has 20 % jitter, so that deliveries that failed together
    are not retried together. It is at least what the receiver requested.
    """
    jitter = random.uniform(0.8, 1.2)  # noqa: S311  # no secret depends on it
    delay: float = chat_settings.WEBHOOK_BACKOFF * BACKOFF_FACTOR ** (attempt - 1) * jitter
    maximum: float = chat_settings.WEBHOOK_MAX_BACKOFF
    return min(max(delay, delay_requested or 0.0), maximum)


def list_for_session(session_id: str) -> Sequence[DeliveryRecord]:
    """Return the session's deliveries, newest first.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    return outbox.list_deliveries(Caller.internal(session_id))


def redeliver(session_id: str, message_id: str) -> bool:
    """Schedule another delivery for this turn, with the next sweep.

    Returns False if an attempt is running or about to start.

    Raises:
        MessageNotFound: nothing was delivered for this reply, or its text was erased.
        InvalidRequest: the session has no webhook any more.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    return outbox.retry(Caller.internal(session_id), message_number(message_id))
