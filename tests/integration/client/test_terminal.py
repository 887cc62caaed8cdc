"""`manage.py chat` in a terminal and in pipes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from parley_client import Client, ReplyFailed
from project.runner.process import ROOT
from tests.harness.stack import Stack
from tests.integration.client.pty_program import PtyProgram

CHAT = (sys.executable, str(ROOT / "manage.py"), "chat")


@contextmanager
def start_chat(stack: Stack) -> Iterator[PtyProgram]:
    """A chat in a terminal, at its first prompt."""
    argv = [*CHAT, "--url", stack.web().url, "--name", "Ada", "--system", "Be terse."]
    with PtyProgram(argv, os.environ) as program:
        program.expect("> ")
        yield program


@pytest.fixture(scope="module")
def chat(echo_stack: Stack) -> Iterator[PtyProgram]:
    """A chat at a prompt, for all tests that leave it there."""
    with start_chat(echo_stack) as program:
        yield program


def run_in_pipe(url: str, text: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a chat with its input from a pipe."""
    return subprocess.run(
        [*CHAT, "--url", url],
        input=text,
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=60,
        check=False,
    )


def test_reply_is_printed_as_it_arrives(chat: PtyProgram) -> None:
    chat.sendline("hello [[tokens=60 rate=40]]")
    chat.expect("echo: hello")
    assert "> " not in chat.output.rpartition("echo: hello")[2]
    chat.expect("\n> ")


def test_ctrl_c_stops_the_reply_and_keeps_the_chat(chat: PtyProgram) -> None:
    chat.sendline("hello [[tokens=1000 rate=20]]")
    chat.expect("echo: hello")
    chat.sendcontrol("c")
    chat.expect("(stopped)")
    chat.expect("> ")
    chat.sendcontrol("c")
    chat.expect("\n> ")
    chat.sendline("still there?")
    chat.expect("echo: still there?")
    chat.expect("> ")


@pytest.mark.thorough
def test_stop_can_be_typed_during_a_reply(chat: PtyProgram) -> None:
    chat.sendline("hello [[tokens=1000 rate=20]]")
    chat.expect("echo: hello")
    chat.sendline("and then?")
    chat.sendline("/stop")
    chat.expect("(stopped)")
    chat.expect("echo: and then?\n> ")


def test_commands_show_and_change_the_session(echo_stack: Stack) -> None:
    with start_chat(echo_stack) as chat:
        chat.sendline("/system")
        chat.expect("Be terse.\n> ")
        chat.sendline("/system Be verbose.")
        chat.expect("Be verbose.\n> ")
        chat.sendline("one [[history]]")
        chat.expect('"Be verbose."')
        chat.expect("> ")
        chat.sendline("/system -")
        chat.expect("(no system prompt)\n> ")
        chat.sendline("/model")
        chat.expect("* default\n> ")
        chat.sendline("/stop")
        chat.expect("(no reply in progress)\n> ")
        chat.sendline("/model none")
        chat.expect("Unknown model.\n> ")
        chat.sendline("/regenerate")
        chat.expect("echo: one")
        chat.expect("> ")
        chat.sendline("/history")
        chat.expect("> one [[history]]\necho: one")
        chat.sendline("/reset")
        chat.expect("(conversation cleared)\n> ")
        chat.sendline("//history is a word")
        chat.expect("echo: /history is a word\n> ")
        chat.sendline("/nonsense")
        chat.expect("Unknown command /nonsense. Type /help for a list of commands.\n> ")
        chat.sendline("/quit")
        assert chat.exit_code() == 0


def test_failed_turn_is_reported_and_the_chat_continues(chat: PtyProgram) -> None:
    chat.sendline("[[fault:400]]")
    chat.expect("The model's service rejected the request.\n> ")
    chat.sendline("hello")
    chat.expect("echo: hello\n> ")


def test_control_characters_of_the_model_are_removed(chat: PtyProgram) -> None:
    chat.sendline("\x16\x1b]0;title\x16\x07 and \x16\x1b[2J")
    chat.expect("echo: ]0;title and [2J\n> ")
    assert "\x1b]0" not in chat.output.rpartition("echo: ")[2]


def test_lines_of_a_pipe_are_answered_in_order(echo_stack: Stack) -> None:
    done = run_in_pipe(echo_stack.web().url, "hi\n\n/system Be terse.\nyou there?\n")
    assert done.stdout == "echo: hi\necho: you there?\n"
    assert done.stderr == "Be terse.\n"
    assert done.returncode == 0


@pytest.mark.thorough
def test_failed_line_of_a_pipe_sets_exit_code_1(echo_stack: Stack) -> None:
    done = run_in_pipe(echo_stack.web().url, "[[fault:400]]\nhi\n")
    assert done.stdout == "echo: hi\n"
    assert "rejected" in done.stderr
    assert done.returncode == 1


def test_parley_token_resumes_the_session(echo_stack: Stack, client: Client) -> None:
    session = client.open()
    session.send("hello").text  # noqa: B018  # waits for the reply
    done = run_in_pipe(echo_stack.web().url, "/history\n/token\n", PARLEY_TOKEN=session.token)
    assert done.stderr == f"> hello\necho: hello\n{session.token}\n"
    assert done.stdout == ""


@pytest.mark.thorough
def test_resumed_session_shows_its_history(echo_stack: Stack, client: Client) -> None:
    session = client.open()
    session.send("hello").text  # noqa: B018  # waits for the reply
    environment = {**os.environ, "PARLEY_TOKEN": session.token}
    with PtyProgram([*CHAT, "--url", echo_stack.web().url], environment) as program:
        program.expect("> hello\necho: hello\n> ")


def test_resumed_session_shows_the_rest_of_the_reply(echo_stack: Stack, client: Client) -> None:
    session = client.open()
    with suppress(ReplyFailed):
        session.send("[[fault:400]]").text  # noqa: B018  # waits for the reply
    growing = session.send("hello [[tokens=60 rate=30]]")
    next(iter(growing))
    environment = {**os.environ, "PARLEY_TOKEN": session.token}
    with PtyProgram([*CHAT, "--url", echo_stack.web().url], environment) as program:
        program.expect("(no reply: The model's service rejected the request.)\n> hello")
        program.expect(f"{growing.text}\n> ")
        program.sendcontrol("d")
        assert program.exit_code() == 0


@pytest.mark.thorough
def test_chat_ends_when_its_session_is_deleted(echo_stack: Stack, client: Client) -> None:
    session = client.open()
    environment = {**os.environ, "PARLEY_TOKEN": session.token}
    with PtyProgram([*CHAT, "--url", echo_stack.web().url], environment) as program:
        program.expect("Type /help for a list of commands.\n> ")
        session.delete()
        program.sendline("hello")
        program.expect("Session not found.\n")
        assert program.exit_code() == 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://127.0.0.1:1", "Start Parley at this URL"),
        ("localhost:8000", "is not an http(s) URL"),
    ],
)
def test_unreachable_or_invalid_url_is_reported(url: str, error: str) -> None:
    done = run_in_pipe(url, "hi\n")
    assert error in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode != 0


@pytest.mark.thorough
def test_invalid_token_is_reported(echo_stack: Stack) -> None:
    done = run_in_pipe(echo_stack.web().url, "hi\n", PARLEY_TOKEN="nonsense")
    assert (done.stdout, done.stderr, done.returncode) == ("", "This is not a session token.\n", 1)
