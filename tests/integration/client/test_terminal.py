"""`manage.py chat`: a person at a terminal, and pipes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from parley_client import Client, ReplyFailed
from project.supervisor.children import ROOT
from tests.harness.stack import Stack
from tests.integration.client.person import Person

CHAT = (sys.executable, str(ROOT / "manage.py"), "chat")


@pytest.fixture
def person(echoing: Stack) -> Iterator[Person]:
    """Somebody who has just started a chat."""
    argv = [*CHAT, "--url", echoing.web().url, "--name", "Ada", "--system", "Be terse."]
    with Person(argv, os.environ) as somebody:
        somebody.sees("> ")
        yield somebody


def piped(url: str, text: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Return what becomes of a chat that reads a pipe."""
    return subprocess.run(
        [*CHAT, "--url", url],
        input=text,
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=60,
        check=False,
    )


def test_a_reply_is_shown_while_it_grows(person: Person) -> None:
    person.types("hello [[tokens=60 rate=40]]")
    person.sees("echo: hello")
    assert "> " not in person.screen.rpartition("echo: hello")[2]
    person.sees("\n> ")
    person.types("/quit")
    assert person.exit_code() == 0


def test_ctrl_c_stops_the_reply_and_not_the_chat(person: Person) -> None:
    person.types("hello [[tokens=1000 rate=20]]")
    person.sees("echo: hello")
    person.presses("c")
    person.sees("(stopped)")
    person.sees("> ")
    person.presses("c")
    person.sees("\n> ")
    person.types("still there?")
    person.sees("echo: still there?")
    person.sees("> ")
    person.presses("d")
    assert person.exit_code() == 0


def test_stop_may_be_typed_while_a_reply_is_written(person: Person) -> None:
    person.types("hello [[tokens=1000 rate=20]]")
    person.sees("echo: hello")
    person.types("and then?")
    person.types("/stop")
    person.sees("(stopped)")
    person.sees("echo: and then?\n> ")


def test_the_session_is_looked_at_and_changed(person: Person) -> None:
    person.types("/system")
    person.sees("Be terse.\n> ")
    person.types("/system Be verbose.")
    person.sees("Be verbose.\n> ")
    person.types("one [[history]]")
    person.sees('"Be verbose."')
    person.sees("> ")
    person.types("/system -")
    person.sees("(no system prompt)\n> ")
    person.types("/model")
    person.sees("* default\n> ")
    person.types("/stop")
    person.sees("(nothing is being written)\n> ")
    person.types("/model none")
    person.sees("There is no model of this name.\n> ")
    person.types("/again")
    person.sees("echo: one")
    person.sees("> ")
    person.types("/history")
    person.sees("> one [[history]]\necho: one")
    person.types("/reset")
    person.sees("(forgotten)\n> ")
    person.types("//history is a word")
    person.sees("echo: /history is a word\n> ")
    person.types("/nonsense")
    person.sees("There is no /nonsense; /help tells what there is.\n> ")


def test_a_failed_turn_is_told_and_the_chat_goes_on(person: Person) -> None:
    person.types("[[fault:400]]")
    person.sees("The model's service refused the request.\n> ")
    person.types("hello")
    person.sees("echo: hello\n> ")


def test_a_models_control_characters_do_not_reach_the_terminal(person: Person) -> None:
    person.types("\x16\x1b]0;title\x16\x07 and \x16\x1b[2J")
    person.sees("echo: ]0;title and [2J\n> ")
    assert "\x1b]0" not in person.screen.rpartition("echo: ")[2]


def test_a_pipe_is_answered_line_by_line(echoing: Stack) -> None:
    done = piped(echoing.web().url, "hi\n\n/system Be terse.\nyou there?\n")
    assert done.stdout == "echo: hi\necho: you there?\n"
    assert done.stderr == "Be terse.\n"
    assert done.returncode == 0


def test_a_pipe_that_could_not_be_answered_ends_with_1(echoing: Stack) -> None:
    done = piped(echoing.web().url, "[[fault:400]]\nhi\n")
    assert done.stdout == "echo: hi\n"
    assert "refused" in done.stderr
    assert done.returncode == 1


def test_a_token_in_the_environment_resumes_its_session(echoing: Stack, client: Client) -> None:
    session = client.open()
    session.send("hello").text  # noqa: B018  # waits for it
    done = piped(echoing.web().url, "/history\n/token\n", PARLEY_TOKEN=session.token)
    assert done.stderr == f"> hello\necho: hello\n{session.token}\n"
    assert done.stdout == ""


def test_who_comes_back_sees_what_was_said(echoing: Stack, client: Client) -> None:
    session = client.open()
    session.send("hello").text  # noqa: B018  # waits for it
    environment = {**os.environ, "PARLEY_TOKEN": session.token}
    with Person([*CHAT, "--url", echoing.web().url], environment) as somebody:
        somebody.sees("> hello\necho: hello\n> ")


def test_who_comes_back_sees_the_rest_of_what_is_being_written(
    echoing: Stack, client: Client
) -> None:
    session = client.open()
    with suppress(ReplyFailed):
        session.send("[[fault:400]]").text  # noqa: B018  # waits for it
    growing = session.send("hello [[tokens=60 rate=30]]")
    next(iter(growing))
    environment = {**os.environ, "PARLEY_TOKEN": session.token}
    with Person([*CHAT, "--url", echoing.web().url], environment) as somebody:
        somebody.sees("(no reply: The model's service refused the request.)\n> hello")
        somebody.sees(f"{growing.text}\n> ")


def test_a_chat_ends_with_its_session(echoing: Stack, client: Client) -> None:
    session = client.open()
    environment = {**os.environ, "PARLEY_TOKEN": session.token}
    with Person([*CHAT, "--url", echoing.web().url], environment) as somebody:
        somebody.sees("/help tells what else you may type.\n> ")
        session.delete()
        somebody.types("hello")
        somebody.sees("There is no such session.\n")
        assert somebody.exit_code() == 1


def test_a_reply_is_read_on_when_the_web_comes_back(person: Person, echoing: Stack) -> None:
    person.types("hello [[tokens=60 rate=20]]")
    said = person.sees("echo: hello").rpartition("echo: ")[2]
    echoing.web().kill()
    echoing.web().start()
    said += person.sees("\n> ", within=40).removesuffix("\n> ")
    assert len(said.split()) == 60 - 1  # without "echo: "


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://127.0.0.1:1", "Start Parley there"), ("localhost:8000", "is no http(s) URL")],
)
def test_a_place_without_parley_is_said_so(url: str, said: str) -> None:
    done = piped(url, "hi\n")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode != 0


def test_a_wrong_token_is_said_so(echoing: Stack) -> None:
    done = piped(echoing.web().url, "hi\n", PARLEY_TOKEN="nonsense")
    assert (done.stdout, done.stderr, done.returncode) == ("", "This is no token.\n", 1)
