"""The socket of a session: what happens there goes out, messages and cancellations come in."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from contextlib import aclosing
from functools import partial
from typing import Any

from channels.consumer import AsyncConsumer, get_handler_name
from channels.exceptions import StopConsumer
from django.http import QueryDict

from chat.api import query_params
from chat.conversation import tickets
from chat.domain import Caller, EventBatch, Gap
from chat.domain.errors import AuthTimeout, NotAllowed, ParleyError, RateLimited, SlowConsumer
from chat.logging import reset_context
from chat.realtime import close_codes, commands, origin, session_events
from chat.realtime.event_json import serialize_events
from chat.realtime.rate_limit import RateLimiter
from chat.settings import chat_settings

logger = logging.getLogger(__name__)

# Of ASGI.
Message = dict[str, Any]


class SessionWebSocket(AsyncConsumer):
    """One WebSocket.

    It is accepted, unless its origin is not allowed, and whoever may not follow is told so by the
    close code. One task waits for credentials, follows the session and closes the socket; frames
    are answered beside it, one after the other.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._admission: asyncio.Future[tuple[Caller, int]] = loop.create_future()
        self._pace = RateLimiter(
            per_minute=chat_settings.FRAMES_PER_MINUTE, burst=chat_settings.FRAMES_BURST
        )
        self._serving: asyncio.Task[None] | None = None
        # The cursor that the URL gives.
        self._after = 0
        self._is_closed = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket until it is closed."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._serving is not None:
                self._serving.cancel()

    async def dispatch(self, message: Message) -> None:
        """Handle what the server says; Channels would look after database connections first."""
        await getattr(self, get_handler_name(message))(message)

    async def websocket_connect(self, _: Message) -> None:
        """Accept the socket and begin to serve it; one from a foreign page is answered 403."""
        if not origin.is_allowed(self.scope["headers"]):
            for message in close_codes.handshake_rejection(
                NotAllowed("Pages of this origin may not connect.")
            ):
                await self.send(message)
            return
        await self.send({"type": "websocket.accept"})
        self._serving = asyncio.create_task(self._serve(), name="socket")
        await self._authenticate_by_url()

    async def websocket_receive(self, message: Message) -> None:
        """Take a frame: the first one authenticates, unless the URL has."""
        if not self._pace.allow():
            await self._close(close_codes.close_code(RateLimited()), RateLimited.code)
        elif not self._admission.done():
            self._authenticate(message.get("text"))
        elif self._admission.exception() is None:
            caller, _ = self._admission.result()
            await self._send_response(await self.handle_frame(caller, message.get("text")))

    async def handle_frame(self, caller: Caller, text: str | None) -> bytes:
        """Do what a frame asks for; return the frame that answers it, or nothing."""
        return await asyncio.to_thread(commands.execute, caller, text)

    def serialize(self, found: EventBatch | Gap) -> Iterable[bytes]:
        """Return the frames that tell what has happened."""
        return (
            found.events
            if isinstance(found, EventBatch)
            else [event for _, event in serialize_events(found)]
        )

    async def websocket_disconnect(self, _: Message) -> None:
        """End, but not what was asked for here: turns go on."""
        raise StopConsumer

    async def _serve(self) -> None:
        """Follow the session, once somebody has authenticated; close the socket at the end."""
        try:
            await self._send_events()
            await self._close(close_codes.SERVICE_RESTART)
        except ParleyError as error:
            await self._close(close_codes.close_code(error), error.code)
        except TimeoutError:
            await self._close(close_codes.close_code(SlowConsumer()), SlowConsumer.code)
        except OSError:
            pass  # the client has left
        except Exception:
            logger.exception("A socket has failed")
            await self._close(close_codes.INTERNAL_ERROR)

    async def _send_events(self) -> None:
        await asyncio.wait([self._admission], timeout=chat_settings.AUTH_TIMEOUT)
        if not self._admission.done():
            raise AuthTimeout
        caller, after = self._admission.result()
        reset_context(session=caller.session_id)
        async with asyncio.timeout(None) as patience:
            # A timeout for each frame would cost a tenth of what a frame costs.
            cut, hang_up = partial(patience.reschedule, 0), close_codes.get_abort(self.scope)
            with session_events.subscribe(
                caller, after=after, cut=cut, hang_up=hang_up
            ) as follower:
                async with aclosing(session_events.events(follower, after=after)) as events:
                    async for found in events:
                        if found is not None:
                            await self._send_frames(self.serialize(found))

    async def _authenticate_by_url(self) -> None:
        """Take a ticket, or a token where that is allowed, from the URL."""
        query = QueryDict(self.scope["query_string"])
        if not query:
            return
        try:
            asked = query_params.subscribe_query(query, takes_token=True)
            self._after = asked.after
            if asked.ticket:
                caller = await asyncio.to_thread(tickets.redeem, self._session_id, asked.ticket)
                self._admission.set_result((caller, asked.after))
            elif asked.token:
                caller = commands.caller_from_url_token(asked.token, self._session_id)
                self._admission.set_result((caller, asked.after))
        except ParleyError as error:
            self._admission.set_exception(error)

    def _authenticate(self, text: str | None) -> None:
        """Take the first frame."""
        try:
            caller, after = commands.authenticate(text, self._session_id)
            self._admission.set_result((caller, self._after if after is None else after))
        except ParleyError as error:
            self._admission.set_exception(error)

    async def _send_frames(self, told: Iterable[bytes]) -> None:
        for frame in told:
            if self._is_closed:
                return
            await self.send({"type": "websocket.send", "text": frame.decode()})

    async def _send_response(self, frame: bytes) -> None:
        """Send an answer to a client, who must read it before he asks again."""
        with contextlib.suppress(OSError):  # the client has left
            await self._send_frames([frame] if frame else [])

    async def _close(self, code: int, reason: str = "") -> None:
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.suppress(OSError):  # the client has left
            await self.send({"type": "websocket.close", "code": code, "reason": reason})

    @property
    def _session_id(self) -> str:
        found: str = self.scope["url_route"]["kwargs"]["session_id"]
        return found
