"""The WebSocket of a session: events go to the client, and commands come from it."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

from channels.consumer import AsyncConsumer, get_handler_name
from channels.exceptions import StopConsumer

from chat.accounts import bans, client_ip, read_limits
from chat.api import origin, query_params
from chat.conversation import tickets
from chat.domain import Caller, EventBatch, Gap
from chat.domain.errors import AuthTimeout, NotAllowed, ParleyError, RateLimited, SlowConsumer
from chat.domain.rates import RateLimiter
from chat.logging import reset_context
from chat.realtime import close_codes, commands, session_events
from chat.realtime.event_json import serialize_events
from chat.settings import chat_settings

logger = logging.getLogger(__name__)

# An ASGI message.
Message = dict[str, Any]


class SessionWebSocket(AsyncConsumer):
    """One WebSocket.

    The handshake succeeds for any allowed origin, because only a close code can report an
    authentication error to a browser. One task authenticates the client, sends events and closes
    the WebSocket. Commands are executed concurrently with it, one at a time.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        # The caller and the cursor, or an error.
        self._authentication: asyncio.Future[tuple[Caller, int]] = loop.create_future()
        self._rate_limiter = RateLimiter(
            per_minute=chat_settings.FRAMES_PER_MINUTE, burst=chat_settings.FRAMES_BURST
        )
        self._serve_task: asyncio.Task[None] | None = None
        self._url_cursor = 0
        # The client's.
        self._address = ""
        self._is_closed = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle the client's messages. Channels would receive each in another task."""
        self.scope, self.base_send = scope, send
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:
            if self._serve_task is not None:
                self._serve_task.cancel()

    async def dispatch(self, message: Message) -> None:
        """Call the handler of a message. Channels would also check database connections."""
        await getattr(self, get_handler_name(message))(message)

    async def websocket_connect(self, _: Message) -> None:
        """Accept the handshake, or reject a forbidden origin with 403."""
        try:
            origin.check_websocket(self.scope["headers"])
        except NotAllowed as error:
            for message in close_codes.handshake_rejection(error):
                await self.send(message)
            return
        await self.send({"type": "websocket.accept"})
        self._serve_task = asyncio.create_task(self._serve(), name="websocket")
        self._address = client_ip.scope_address(self.scope)
        try:
            bans.check_address(self._address)
            read_limits.check_address(self._address)
            await self._authenticate_by_url()
        except ParleyError as error:
            self._authentication.set_exception(error)

    async def websocket_receive(self, message: Message) -> None:
        """Handle a frame. The first one authenticates, unless the URL did."""
        if not self._rate_limiter.allow():
            await self._close(close_codes.close_code(RateLimited()), RateLimited.code)
        elif not self._authentication.done():
            await self._authenticate(message.get("text"))
        elif self._authentication.exception() is None:
            caller, _ = self._authentication.result()
            await self._send_response(await self.handle_frame(caller, message.get("text")))

    async def handle_frame(self, caller: Caller, text: str | None) -> bytes:
        """Execute a command; return the frame of its response, or b"" for none."""
        return await asyncio.to_thread(commands.execute, caller, text)

    def serialize(self, item: EventBatch | Gap) -> Iterable[bytes]:
        """Return the frames for these events."""
        return (
            item.events
            if isinstance(item, EventBatch)
            else [event for _, event in serialize_events(item)]
        )

    async def websocket_disconnect(self, _: Message) -> None:
        """End the consumer. Turns are not cancelled."""
        raise StopConsumer

    async def _serve(self) -> None:
        """Send events after authentication, and finally close the WebSocket."""
        try:
            await self._send_events()
            await self._close(close_codes.SERVICE_RESTART)
        except ParleyError as error:
            await self._close(close_codes.close_code(error), error.code)
        except TimeoutError:
            await self._close(close_codes.close_code(SlowConsumer()), SlowConsumer.code)
        except OSError:
            pass  # the client has disconnected
        except Exception:
            logger.exception("A WebSocket failed with an exception")
            await self._close(close_codes.INTERNAL_ERROR)

    async def _send_events(self) -> None:
        await asyncio.wait([self._authentication], timeout=chat_settings.AUTH_TIMEOUT)
        if not self._authentication.done():
            raise AuthTimeout
        caller, after = self._authentication.result()
        reset_context(session=caller.session_id)
        await session_events.check_capacity(caller)
        # A timeout for each frame would add a tenth to the cost of a frame.
        async with asyncio.timeout(None) as send_timeout:
            on_overflow = partial(send_timeout.reschedule, 0)
            abort = close_codes.get_abort(self.scope)
            with session_events.subscribe(
                caller, after=after, on_overflow=on_overflow, abort=abort
            ) as subscriber:
                async with aclosing(session_events.events(subscriber, after=after)) as events:
                    async for item in events:
                        if item is not None:
                            await self._send_frames(self.serialize(item))

    async def _authenticate_by_url(self) -> None:
        """Authenticate by a ticket in the URL, or by a token if that is allowed."""
        query = query_params.parse(self.scope["query_string"])
        if not query:
            return
        params = query_params.subscribe_query(query, allow_token=True)
        self._url_cursor = params.after
        if params.ticket:
            caller = await asyncio.to_thread(tickets.redeem, self._session_id, params.ticket)
        elif params.token:
            caller = await asyncio.to_thread(
                commands.caller_from_url_token, self._session_id, params.token
            )
        else:
            return
        self._accept(caller, params.after)

    async def _authenticate(self, text: str | None) -> None:
        """Authenticate by the first frame. In a thread, because checking a key may take I/O."""
        try:
            caller, after = await asyncio.to_thread(commands.authenticate, text, self._session_id)
            self._accept(caller, self._url_cursor if after is None else after)
        except ParleyError as error:
            self._authentication.set_exception(error)

    def _accept(self, caller: Caller, after: int) -> None:
        """Start to send events to the caller. If the client's address is banned later, they end.

        Raises:
            RateLimited: the session, or its client, reads too often.
        """
        read_limits.check_caller(caller, self._address)
        close_codes.report_authentication(self.scope)
        self._authentication.set_result((replace(caller, address=self._address), after))

    async def _send_frames(self, frames: Iterable[bytes]) -> None:
        send_texts = close_codes.get_send_texts(self.scope)
        if send_texts is not None and not self._is_closed:
            await send_texts(frames)
            return
        for frame in frames:
            if self._is_closed:
                return
            await self.send({"type": "websocket.send", "text": frame.decode()})

    async def _send_response(self, frame: bytes) -> None:
        """Send a response. The client's next frame is handled only after it."""
        with contextlib.suppress(OSError):  # the client has disconnected
            await self._send_frames([frame] if frame else [])

    async def _close(self, code: int, reason: str = "") -> None:
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.suppress(OSError):  # the client has disconnected
            await self.send({"type": "websocket.close", "code": code, "reason": reason})

    @property
    def _session_id(self) -> str:
        session_id: str = self.scope["url_route"]["kwargs"]["session_id"]
        return session_id
