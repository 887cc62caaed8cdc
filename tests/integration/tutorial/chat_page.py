"""The tutorial's chat page: which of the received replies its React components show.

It has the state of the client's `ChatInput` and `Chatbox` and follows their rules, line by line.
"""

import json
from collections.abc import Callable

from tests.integration.tutorial.client import TutorialClient, TutorialWebSocketClient

# The line that hides replies, and the one that replaces earlier replies.
PAUSE = "if (isPaused) return;"
APPEND = "setMessages(messages.concat(message));"
# What docs/tutorials.md suggests for `APPEND`.
APPEND_TO_SHOWN = "setMessages((shown: MessageProps[]) => shown.concat(message));"

Messages = list[dict[str, str]]


class ChatPage:
    """An open chat page.

    has_pause: it contains the line `PAUSE`, as published.
    appends_to_shown: it contains `APPEND_TO_SHOWN` instead of `APPEND`.
    """

    def __init__(
        self,
        user: TutorialClient,
        socket: TutorialWebSocketClient,
        *,
        has_pause: bool = True,
        appends_to_shown: bool = False,
    ) -> None:
        self._socket = socket
        self._has_pause = has_pause
        self._appends_to_shown = appends_to_shown
        self._is_paused = False
        self._messages: Messages = user.refresh()["messages"]
        self._on_message = self._build_handler()

    def press_send(self, text: str) -> None:
        """Submit the form, which toggles `isPaused` even if the input is empty."""
        self._is_paused = not self._is_paused
        if text:
            self._messages = [*self._messages, {"id": "", "msg": f"Human: {text}"}]
            self._socket.send(text)
        self._on_message = self._build_handler()

    def receive(self) -> None:
        """Handle the next frame."""
        self._on_message(json.dumps(self._socket.receive()))

    @property
    def bubbles(self) -> list[tuple[str, str]]:
        """Speaker and text of each bubble. All that does not start with `Human` is the bot's."""
        texts = [message["msg"] for message in self._messages]
        return [("human" if text[:5] == "Human" else "bot", text) for text in texts]

    def _build_handler(self) -> Callable[[str], None]:
        """Return the handler of frames, which keeps the state of the moment it is built.

        The page builds it only when `isPaused` changes.
        """
        is_paused, messages = self._is_paused, self._messages

        def on_message(frame: str) -> None:
            if self._has_pause and is_paused:
                return
            current = self._messages if self._appends_to_shown else messages
            self._messages = [*current, json.loads(frame)]

        return on_message
