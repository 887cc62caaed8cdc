"""Terminal chat: prints replies as they arrive; Ctrl-C stops the current reply."""

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
from parley_client.errors import APIStatusError, ParleyError
from parley_client.messages import Message
from parley_client.reply import Reply
from parley_client.session import Session

with suppress(ImportError):  # not available on Windows
    import readline  # noqa: F401  # gives `input` a line editor and a history

PROMPT = "> "
HELP = """\
/reset          clear the conversation
/system [TEXT]  set or show the system prompt; "/system -" removes it
/model [NAME]   set the model, or list the models
/regenerate     request another reply to the last message
/stop           stop the current reply
/history        show the conversation
/token          show the session token; set PARLEY_TOKEN to it to resume the session
/quit           quit
//...           send a message that starts with a slash"""
# A model's text may contain escape sequences; only line feeds and tabs are safe.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
WAIT_REASONS = {
    "queue": "queued",
    "rate_limited": "the model is rate limited",
    "model_loading": "the model is loading",
}
# Seconds between two checks whether the reply has ended while reading stdin.
STDIN_POLL_INTERVAL = 0.1
# Maximum number of bytes of a line; a terminal delivers one line per read.
MAX_LINE_BYTES = 65536


class Quit(Exception):
    """The user entered /quit."""


class Terminal:
    """Runs a session from a terminal or a pipe."""

    def __init__(
        self,
        client: Client,
        session: Session,
        *,
        out: TextIO,
        err: TextIO,
        is_interactive: bool = False,
    ) -> None:
        self.session = session
        self._client = client
        # Lines that were typed during a reply.
        self._typeahead: deque[str] = deque()
        self._is_interactive = is_interactive
        # Whether any line failed.
        self.has_failed = False
        self._out = out
        self._err = err
        self._commands: dict[str, Callable[[str], None]] = {
            "/reset": self._reset,
            "/system": self._system,
            "/model": self._model,
            "/regenerate": self._regenerate,
            "/stop": self._stop,
            "/history": self._history,
            "/token": lambda _: self._print(self.session.token),
            "/help": lambda _: self._note(HELP),
            "/quit": self._quit,
        }

    def greet(self) -> None:
        """Print the model and the history."""
        self._note(f"Chatting with {self.session.model}. Type /help for a list of commands.")
        self.run(iter(["/history"]))

    def run(self, lines: Iterator[str]) -> None:
        """Execute lines, which are messages or commands, until they end or one is /quit.

        Raises:
            APIStatusError: the session no longer exists.
        """
        for line in self._with_typeahead(lines):
            try:
                self.execute(line.strip())
            except Quit:
                return
            except ParleyError as error:
                if isinstance(error, APIStatusError) and error.is_gone:
                    raise
                self.has_failed = True
                self._note(error.message)
            except KeyboardInterrupt:
                self._note("")

    def _with_typeahead(self, lines: Iterator[str]) -> Iterator[str]:
        """Yield lines; those that were typed during a reply come before the next one."""
        for line in lines:
            yield line
            while self._typeahead:
                yield self._typeahead.popleft()

    def execute(self, line: str) -> None:
        """Execute one line.

        Raises:
            Quit, ParleyError
        """
        name, _, rest = line.partition(" ")
        if line.startswith("//"):
            self._show(self.session.send(line[1:]))
        elif name in self._commands:
            self._commands[name](rest.strip())
        elif line.startswith("/"):
            self.has_failed = True
            self._note(f"Unknown command {name}. Type /help for a list of commands.")
        elif line:
            self._show(self.session.send(line))

    def _show(self, reply: Reply) -> None:
        """Print a reply as it arrives."""
        self._print_wait(reply.message)
        self._write(reply.partial_text)
        try:
            with cancel_on_interrupt(reply, self._note), self._reading_stdin(reply):
                for delta in reply.updates():
                    if delta.is_restart:
                        self._note("\n(reply restarted)")
                    self._write(delta)
                    self._print_wait(reply.message)
        finally:
            if reply.partial_text:
                self._write("\n")
        self._print_outcome(reply.message)

    @contextmanager
    def _reading_stdin(self, reply: Reply) -> Iterator[None]:
        """Read stdin during a reply: /stop cancels the reply; other lines are kept for later."""
        if not (self._is_interactive and os.name == "posix"):
            yield
            return
        is_over = Event()
        reader = Thread(target=self._read_stdin, args=(reply, is_over), daemon=True)
        reader.start()
        try:
            yield
        finally:
            is_over.set()
            reader.join()

    def _read_stdin(self, reply: Reply, is_over: Event) -> None:
        while not is_over.is_set():
            if not select.select([sys.stdin], [], [], STDIN_POLL_INTERVAL)[0]:
                continue
            line = os.read(sys.stdin.fileno(), MAX_LINE_BYTES).decode(errors="replace").strip()
            if line == "/stop":
                _cancel(reply, self._note)
            elif line:
                self._typeahead.append(line)

    def _print_wait(self, message: Message) -> None:
        wait = message.wait
        if wait and (wait.position or wait.reason != "queue"):
            ahead = f", {wait.position} ahead" if wait.position else ""
            self._note(f"({WAIT_REASONS[wait.reason]}{ahead})")

    def _print_outcome(self, message: Message) -> None:
        if message.status == "cancelled":
            self._note("(stopped)")
        elif message.status == "incomplete":
            reason = message.error.message if message.error else message.finish_reason
            self._note(f"(incomplete: {reason})")
        elif message.error:
            self._note(f"(no reply: {message.error.message})")

    def _reset(self, _: str) -> None:
        self.session.reset()
        self._note("(conversation cleared)")

    def _system(self, text: str) -> None:
        if text:
            self.session.update(system_prompt=None if text == "-" else text)
        self._note(self.session.system_prompt or "(no system prompt)")

    def _model(self, name: str) -> None:
        if name:
            self.session.update(model=name)
        for model in self._client.models():
            self._note(f"{'*' if model.name == self.session.model else ' '} {model.name}")

    def _regenerate(self, _: str) -> None:
        last = next(self.session.history(newest_first=True), None)
        if last is None:
            self._note("(no messages yet)")
        else:
            self._show(self.session.regenerate(last.id))

    def _stop(self, _: str) -> None:
        replies = self.session.active_replies()
        for reply in replies:
            reply.cancel()
        self._note("(stopped)" if replies else "(no reply in progress)")

    def _history(self, _: str) -> None:
        for message in self.session.history():
            if not message.has_ended:
                self._show(Reply(self.session, message))
                continue
            if message.content:
                self._print(f"{'> ' if message.role == 'user' else ''}{message.content}")
            self._print_outcome(message)

    def _quit(self, _: str) -> None:
        raise Quit

    def _print(self, text: str) -> None:
        """Print the output of a command; in a pipe, stdout is for replies only."""
        if self._is_interactive:
            self._write(f"{text}\n")
        else:
            self._note(text)

    def _write(self, text: str) -> None:
        self._out.write(CONTROLS.sub("", text) if self._out.isatty() else text)
        self._out.flush()

    def _note(self, text: str) -> None:
        self._err.write(f"{CONTROLS.sub('', text)}\n")
        self._err.flush()


@contextmanager
def cancel_on_interrupt(reply: Reply, note: Callable[[str], None]) -> Iterator[None]:
    """Make the first Ctrl-C cancel the reply, and a second one raise KeyboardInterrupt.

    The first one does not interrupt reading, so that the partial text is read to its end.
    """
    threads: list[Thread] = []

    def on_interrupt(*_: object) -> None:
        if threads:
            raise KeyboardInterrupt
        threads.append(Thread(target=_cancel, args=(reply, note), daemon=True))
        threads[0].start()

    previous = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _cancel(reply: Reply, note: Callable[[str], None]) -> None:
    try:
        reply.cancel()
    except ParleyError as error:
        note(error.message)


def prompt_lines() -> Iterator[str]:
    """Prompt for lines until Ctrl-D; Ctrl-C discards the current line."""
    while True:
        try:
            yield input(PROMPT)
        except KeyboardInterrupt:
            sys.stdout.write("\n")
        except EOFError:
            sys.stdout.write("\n")
            return
