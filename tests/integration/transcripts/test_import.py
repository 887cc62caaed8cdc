"""What `manage.py import` takes in."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from redis import Redis

from chat.conversation import sessions, tokens, turns
from chat.conversation.messages import get_message
from chat.domain import Caller
from chat.store import listing
from tests.integration.api.fake_worker import claim_turn, complete_turn
from tests.integration.transcripts import rules

SOUND = {"messages": [{"role": "user", "content": "one?"}, {"role": "assistant", "content": "1"}]}


def imported(tmp_path: Path, *lines: object, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Import lines, each JSON or a text; return what the command tells of the sessions."""
    source = tmp_path / "source.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    source.write_text("\n".join(texts) + "\n")
    out = io.StringIO()
    call_command("import", str(source), *options, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def complaints(tmp_path: Path, *lines: object) -> list[str]:
    """Return what is said of lines that cannot be taken in; no session is opened then."""
    source = tmp_path / "source.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    source.write_text("\n".join(texts) + "\n")
    err = io.StringIO()
    with pytest.raises(CommandError, match="No session was opened"):
        call_command("import", str(source), stderr=err)
    assert listing.count() == 0
    return err.getvalue().splitlines()


def test_an_imported_conversation_goes_on(tmp_path: Path) -> None:
    system = {"role": "system", "content": "be brief"}
    (told,) = imported(
        tmp_path,
        {"messages": [system, *SOUND["messages"]]},
        options=("--name", "old", "--ttl", "60"),
    )
    caller = tokens.caller_from_token(told["token"])
    assert caller.session_id == told["id"]
    session = sessions.read(caller)
    assert (session.name, session.system_prompt) == (b'"old"', b'"be brief"')
    assert 0 < session.expires_at - session.now <= 60
    messages = [json.loads(message) for message in session.messages]
    outlines = [(m["id"], m["role"], m["content"], m["status"], m["reply_to"]) for m in messages]
    assert outlines == [
        ("msg_1", "user", "one?", "completed", None),
        ("msg_2", "assistant", "1", "completed", "msg_1"),
    ]
    turns.submit(caller=caller, content="two?")
    claim = claim_turn(told["id"])
    assert [message.content for message in claim.history] == ["one?", "1", "two?"]
    assert claim.system_prompt == "be brief"
    assert claim.reply_id == "msg_4"


def test_an_imported_reply_is_rated_and_regenerated_as_any_other(tmp_path: Path) -> None:
    (told,) = imported(tmp_path, SOUND)
    caller = Caller(session_id=told["id"])
    turns.regenerate(caller=caller, message_id="msg_2")
    complete_turn(told["id"], "another")
    assert [json.loads(m)["content"] for m in sessions.read(caller).messages][1:] == [
        "1",
        "another",
    ]
    assert b'"feedback":null' in get_message(caller, "msg_2")


def test_followers_of_an_imported_session_find_a_gap_and_get_it_whole(tmp_path: Path) -> None:
    (told,) = imported(tmp_path, SOUND)
    caller = Caller(session_id=told["id"])
    assert sessions.events(caller, after=0).earliest > 1
    assert len(sessions.read(caller, after=0).messages) == 2


def test_a_mark_of_utf_8_before_the_first_line_is_no_fault(tmp_path: Path) -> None:
    (told,) = imported(tmp_path, "\ufeff" + json.dumps(SOUND))
    assert told["line"] == 1


def test_an_export_is_imported_and_exported_again_the_same(tmp_path: Path) -> None:
    texts = ['one? "\\', "1 \u2028 \x7f", "zwei?\n\n", "naïve 你好 \U0001f600"]
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    imported(tmp_path, {"messages": messages}, SOUND)
    target = tmp_path / "out.jsonl"
    call_command("export", "--output", str(target))
    examples = rules.check_file(target)
    assert sorted(examples, key=json.dumps) == sorted(
        [{"messages": messages}, SOUND], key=json.dumps
    )


def message(role: str, content: object = "x", **members: object) -> dict[str, object]:
    return {"role": role, "content": content, **members}


USER, REPLY = message("user"), message("assistant")


def test_a_nul_that_a_model_has_said_is_taken_in(tmp_path: Path) -> None:
    """As what `export` writes."""
    (told,) = imported(tmp_path, {"messages": [USER, message("assistant", "a\x00b")]})
    _, reply = sessions.read(tokens.caller_from_token(told["token"])).messages
    assert json.loads(reply)["content"] == "a\x00b"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "Not valid JSON"),
        ('{"messages": [{"role": "user", "content": "\\ud800"}]}', "Not valid JSON"),
        ([], "the single field messages"),
        ({"messages": [USER, REPLY], "tools": []}, "the single field messages"),
        ({"messages": {}}, "expected a list"),
        ({"messages": []}, "the last one must be a reply"),
        ({"messages": [USER]}, "the last one must be a reply"),
        ({"messages": [message("system")]}, "the last one must be a reply"),
        ({"messages": [USER, REPLY, USER]}, "the last one must be a reply"),
        ({"messages": [REPLY]}, "messages[0].role: expected user"),
        ({"messages": [USER, USER]}, "messages[1].role: expected assistant"),
        ({"messages": [USER, REPLY, message("system")]}, "messages[2].role: expected user"),
        ({"messages": [message("function"), REPLY]}, "messages[0].role"),
        ({"messages": [{"role": ["user"]}, REPLY]}, "messages[0].role"),
        ({"messages": [USER, "x"]}, "messages[1]: expected an object"),
        ({"messages": [USER, message("assistant", " \n")]}, "messages[1].content"),
        ({"messages": [USER, message("assistant", None)]}, "messages[1].content"),
        ({"messages": [message("user", "a\x00b"), REPLY]}, "messages[0].content"),
        ({"messages": [message("user", "x" * 32769), REPLY]}, "at most 32768 bytes"),
        ({"messages": [message("user", name="canary"), REPLY]}, "messages[0]: only content, role"),
        ({"messages": [USER, message("assistant", weight=0.5)]}, "messages[1].weight"),
        ({"messages": [USER, message("assistant", weight=True)]}, "messages[1].weight"),
        ({"messages": [USER, message("assistant", weight=[])]}, "messages[1].weight"),
        ({"messages": [USER, REPLY] * 10_001}, "at most 10,000 turns"),
    ],
)
def test_a_line_that_is_not_sound_is_named_and_nothing_is_opened(
    tmp_path: Path, line: object, complaint: str
) -> None:
    (told,) = complaints(tmp_path, SOUND, "", line, SOUND)
    assert told.startswith("line 3: ")
    assert complaint in told
    assert "canary" not in told


def test_of_many_unsound_lines_the_first_are_named_and_all_counted(tmp_path: Path) -> None:
    told = complaints(tmp_path, *["{"] * 50)
    assert [line.partition(":")[0] for line in told] == [f"line {n}" for n in range(1, 21)]


def test_what_a_session_may_hold_bounds_a_line(tmp_path: Path, settings: Settings) -> None:
    settings.CHAT_MAX_SESSION_BYTES = 100
    long = {"messages": [message("user", "x" * 60), message("assistant", "x" * 41)]}
    assert "at most 100 bytes" in complaints(tmp_path, long)[0]
    far_too_long = {"messages": [message("user", "x" * 1000), REPLY]}
    assert complaints(tmp_path, far_too_long, "{") == [
        "line 1: Not valid JSON in UTF-8.",
        "line 2: Not valid JSON in UTF-8.",
    ]


def test_a_check_opens_nothing(tmp_path: Path) -> None:
    assert imported(tmp_path, SOUND, options=("--check",)) == []
    assert listing.count() == 0


def test_an_import_that_was_broken_off_goes_on_at_the_line_it_names(
    tmp_path: Path, redis: Redis
) -> None:
    lines = [SOUND] * 5
    memory = redis.info("memory")["used_memory"]
    redis.config_set("maxmemory", memory - 1)
    try:
        with pytest.raises(CommandError, match=r"line 2: .* --from-line 2"):
            imported(tmp_path, *lines, options=("--from-line", "2"))
        assert listing.count() == 0
    finally:
        redis.config_set("maxmemory", 0)
    assert [told["line"] for told in imported(tmp_path, *lines, options=("--from-line", "2"))] == [
        *(2, 3, 4, 5)
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [(("--ttl", "0"), "--ttl must be 1"), (("--model", "other"), "Unknown model 'other'")],
)
def test_options_that_make_no_sense_are_refused(
    tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        imported(tmp_path, SOUND, options=options)
