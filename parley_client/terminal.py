"""A chat in a terminal: replies are shown while they grow, Ctrl-C stops them."""

import os
import re
import select
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TextIO

from parley_client.client import Client
from parley_client.errors import ParleyError, Refusal
from parley_client.messages import Message
from parley_client.reply import Reply
from parley_client.session import Session

with suppress(ImportError):  # Windows has none
    import readline  # noqa: F401  # with it, `input` has a line editor and remembers lines

PROMPT = "> "
HELP = """\
/reset          forget the conversation
/system [TEXT]  set the system prompt, or show it; "/system -" removes it
/model [NAME]   set the model, or show which there are
/again          ask for another reply to the last message
/stop           stop what is being written
/history        show the conversation
/token          show the token by which to come back: PARLEY_TOKEN=...
/quit           leave
//...           a message that begins with a slash"""
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""A model's text may move the cursor, or worse; line feeds and tabs may stay."""
WAITS = {
    "queue": "waiting for its turn",
    "rate_limited": "the model takes no more calls for now",
    "model_loading": "the model is being loaded",
}


LISTEN = 0.1
"""Seconds after which who listens for /stop looks whether the reply is over."""
LINE = 65536
"""Most bytes of a line; a terminal hands over one at a time."""


class Leave(Exception):
    """The user wants to go."""


class Terminal:
    """A session and the person, or the pipe, that talks in it."""

    def __init__(
        self,
        client: Client,
        session: Session,
        *,
        out: TextIO,
        notes: TextIO,
        is_typed: bool = False,
    ) -> None:
        self.session = session
        self._client = client
        self.ahead: deque[str] = deque()
        """Lines that were typed while a reply was written."""
        self._is_typed = is_typed
        self.has_failed = False
        """Whether anything that was asked for could not be had."""
        self._out = out
        self._notes = notes
        self._commands: dict[str, Callable[[str], None]] = {
            "/reset": self._reset,
            "/system": self._system,
            "/model": self._model,
            "/again": self._again,
            "/stop": self._stop,
            "/history": self._history,
            "/token": lambda _: self._tell(self.session.token),
            "/help": lambda _: self._note(HELP),
            "/quit": self._quit,
        }

    def greet(self) -> None:
        """Say whom one talks with, and what was said before."""
        self._note(f"This is {self.session.model}; /help tells what else you may type.")
        self.run(iter(["/history"]))

    def run(self, lines: Iterator[str]) -> None:
        """Take in lines, each a message or a command, until they end or one says so.

        Raises:
            Refusal: there is no such session any more.
        """
        for line in self._in_order(lines):
            try:
                self.take(line.strip())
            except Leave:
                return
            except ParleyError as error:
                if isinstance(error, Refusal) and error.is_lost:
                    raise
                self.has_failed = True
                self._note(error.message)
            except KeyboardInterrupt:
                self._note("")

    def _in_order(self, lines: Iterator[str]) -> Iterator[str]:
        """Yield what was typed ahead before what is typed next."""
        for line in lines:
            yield line
            while self.ahead:
                yield self.ahead.popleft()

    def take(self, line: str) -> None:
        """Do what one line says.

        Raises:
            Leave, ParleyError
        """
        name, _, rest = line.partition(" ")
        if line.startswith("//"):
            self._show(self.session.send(line[1:]))
        elif name in self._commands:
            self._commands[name](rest.strip())
        elif line.startswith("/"):
            self.has_failed = True
            self._note(f"There is no {name}; /help tells what there is.")
        elif line:
            self._show(self.session.send(line))

    def _show(self, reply: Reply) -> None:
        """Print a reply as it grows."""
        self._tell_wait(reply.message)
        self._write(reply.text_so_far)
        try:
            with stopping(reply, self._note), self._listening(reply):
                for delta in reply.changes():
                    if delta.restarts:
                        self._note("\n(the reply begins anew)")
                    self._write(delta)
                    self._tell_wait(reply.message)
        finally:
            if reply.text_so_far:
                self._write("\n")
        self._tell_end(reply.message)

    @contextmanager
    def _listening(self, reply: Reply) -> Iterator[None]:
        """Let a person type /stop while a reply is written; other lines wait for its end."""
        if not (self._is_typed and os.name == "posix"):
            yield
            return
        over = Event()
        listener = Thread(target=self._listen, args=(reply, over), daemon=True)
        listener.start()
        try:
            yield
        finally:
            over.set()
            listener.join()

    def _listen(self, reply: Reply, over: Event) -> None:
        while not over.is_set():
            if not select.select([sys.stdin], [], [], LISTEN)[0]:
                continue
            line = os.read(sys.stdin.fileno(), LINE).decode(errors="replace").strip()
            if line == "/stop":
                _cancel(reply, self._note)
            elif line:
                self.ahead.append(line)

    def _tell_wait(self, message: Message) -> None:
        wait = message.wait
        if wait and (wait.position or wait.reason != "queue"):
            ahead = f", {wait.position} before it" if wait.position else ""
            self._note(f"({WAITS[wait.reason]}{ahead})")

    def _tell_end(self, message: Message) -> None:
        if message.status == "cancelled":
            self._note("(stopped)")
        elif message.status == "incomplete":
            why = message.error.message if message.error else message.finish_reason
            self._note(f"(incomplete: {why})")
        elif message.error:
            self._note(f"(no reply: {message.error.message})")

    def _reset(self, _: str) -> None:
        self.session.reset()
        self._note("(forgotten)")

    def _system(self, text: str) -> None:
        if text:
            self.session.change(system_prompt=None if text == "-" else text)
        self._note(self.session.system_prompt or "(no system prompt)")

    def _model(self, name: str) -> None:
        if name:
            self.session.change(model=name)
        for model in self._client.models():
            self._note(f"{'*' if model.name == self.session.model else ' '} {model.name}")

    def _again(self, _: str) -> None:
        last = next(self.session.history(newest_first=True), None)
        if last is None:
            self._note("(nothing has been said)")
        else:
            self._show(self.session.regenerate(last.id))

    def _stop(self, _: str) -> None:
        replies = self.session.open_replies()
        for reply in replies:
            reply.cancel()
        self._note("(stopped)" if replies else "(nothing is being written)")

    def _history(self, _: str) -> None:
        for message in self.session.history():
            if not message.is_final:
                self._show(Reply(self.session, message))
                continue
            if message.content:
                self._tell(f"{'> ' if message.role == 'user' else ''}{message.content}")
            self._tell_end(message)

    def _quit(self, _: str) -> None:
        raise Leave

    def _tell(self, text: str) -> None:
        """Show a person what was asked for; in a pipe only replies go where replies go."""
        if self._is_typed:
            self._write(f"{text}\n")
        else:
            self._note(text)

    def _write(self, text: str) -> None:
        self._out.write(CONTROLS.sub("", text) if self._out.isatty() else text)
        self._out.flush()

    def _note(self, text: str) -> None:
        self._notes.write(f"{CONTROLS.sub('', text)}\n")
        self._notes.flush()


@contextmanager
def stopping(reply: Reply, note: Callable[[str], None]) -> Iterator[None]:
    """Let Ctrl-C cancel the reply instead of ending the program; a second one goes on without it.

    The reply goes on being read meanwhile, to its end: what was said before it stopped counts.
    """
    asked: list[Thread] = []

    def stop(*_: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(Thread(target=_cancel, args=(reply, note), daemon=True))
        asked[0].start()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _cancel(reply: Reply, note: Callable[[str], None]) -> None:
    try:
        reply.cancel()
    except ParleyError as error:
        note(error.message)


def typed() -> Iterator[str]:
    """Yield the lines that a person types, until Ctrl-D; Ctrl-C begins a new one."""
    while True:
        try:
            yield input(PROMPT)
        except KeyboardInterrupt:
            sys.stdout.write("\n")
        except EOFError:
            sys.stdout.write("\n")
            return
