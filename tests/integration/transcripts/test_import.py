"""`manage.py import`."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from redis import Redis

from chat.conversation import files, sessions, tokens, turns
from chat.conversation.messages import get_message
from chat.domain import Caller
from chat.domain.files import to_data_url
from chat.store import listing
from chat.transcripts.jsonl import MAX_TURNS
from tests.harness.redis_cluster import needs_one_server
from tests.integration.api.fake_worker import claim_turn, complete_turn
from tests.integration.transcripts import finetuning_format

VALID = {"messages": [{"role": "user", "content": "one?"}, {"role": "assistant", "content": "1"}]}


def run_import(
    tmp_path: Path, *lines: object, options: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Import lines, objects as JSON; return what the command prints about the sessions."""
    source = tmp_path / "source.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    source.write_text("\n".join(texts) + "\n")
    out = io.StringIO()
    call_command("import", str(source), *options, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def import_errors(tmp_path: Path, *lines: object) -> list[str]:
    """Return the errors of a failed import, and check that no session was opened."""
    source = tmp_path / "source.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    source.write_text("\n".join(texts) + "\n")
    err = io.StringIO()
    with pytest.raises(CommandError, match="No session was opened"):
        call_command("import", str(source), stderr=err)
    assert listing.count() == 0
    return err.getvalue().splitlines()


def test_imported_conversation_can_be_continued(tmp_path: Path) -> None:
    system = {"role": "system", "content": "be brief"}
    (opened,) = run_import(
        tmp_path,
        {"messages": [system, *VALID["messages"]]},
        options=("--name", "old", "--ttl", "60"),
    )
    caller = tokens.caller_from_token(opened["token"])
    assert caller.session_id == opened["id"]
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
    claim = claim_turn(opened["id"])
    assert [message.content for message in claim.history] == ["one?", "1", "two?"]
    assert claim.system_prompt == "be brief"
    assert claim.reply_id == "msg_4"


def test_longest_conversation_can_be_imported(tmp_path: Path) -> None:
    (opened,) = run_import(tmp_path, {"messages": MAX_TURNS * VALID["messages"]})
    caller = tokens.caller_from_token(opened["token"])
    (newest,) = sessions.read(caller, limit=1).messages
    assert json.loads(newest)["id"] == f"msg_{2 * MAX_TURNS}"


def test_imported_reply_can_be_regenerated(tmp_path: Path) -> None:
    (opened,) = run_import(tmp_path, VALID)
    caller = Caller.internal(opened["id"])
    turns.regenerate(caller=caller, message_id="msg_2")
    complete_turn(opened["id"], "another")
    assert [json.loads(m)["content"] for m in sessions.read(caller).messages][1:] == [
        "1",
        "another",
    ]
    assert b'"feedback":null' in get_message(caller, "msg_2")


def test_subscribers_of_an_imported_session_get_a_snapshot(tmp_path: Path) -> None:
    (opened,) = run_import(tmp_path, VALID)
    caller = Caller.internal(opened["id"])
    assert sessions.events(caller, after=0).earliest > 1
    assert len(sessions.read(caller, after=0).messages) == 2


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (opened,) = run_import(tmp_path, "\ufeff" + json.dumps(VALID))
    assert opened["line"] == 1


def test_import_and_export_round_trip(tmp_path: Path) -> None:
    texts = ['one? "\\', "1 \u2028 \x7f", "zwei?\n\n", "naïve 你好 \U0001f600"]
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    run_import(tmp_path, {"messages": messages}, VALID)
    target = tmp_path / "out.jsonl"
    call_command("export", "--output", str(target))
    examples = finetuning_format.validate_file(target)
    assert sorted(examples, key=json.dumps) == sorted(
        [{"messages": messages}, VALID], key=json.dumps
    )


def message(role: str, content: object = "x", **fields: object) -> dict[str, object]:
    return {"role": role, "content": content, **fields}


def image(url: str, **members: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **members}}


def file(url: str, name: str = "a.txt") -> dict[str, Any]:
    return {"type": "file", "file": {"filename": name, "file_data": url}}


def with_parts(*parts: dict[str, Any]) -> dict[str, object]:
    return message("user", list(parts))


USER, REPLY = message("user"), message("assistant")
PNG = b"\x89PNG\r\n\x1a\n"
PNG_URL, TEXT_URL = to_data_url("image/png", PNG), to_data_url("text/plain", b"words")


def test_nul_in_a_reply_is_imported(tmp_path: Path) -> None:
    """`export` writes such replies."""
    (opened,) = run_import(tmp_path, {"messages": [USER, message("assistant", "a\x00b")]})
    _, reply = sessions.read(tokens.caller_from_token(opened["token"])).messages
    assert json.loads(reply)["content"] == "a\x00b"


def test_images_and_files_survive_import_and_export(tmp_path: Path) -> None:
    words = {"type": "text", "text": "What is this?"}
    remote = image("https://example.org/b.png")
    named = to_data_url("image/png", PNG, "a b; ü,1.png")
    parts = (words, image(named, detail="high"), file(TEXT_URL, "notes.txt"), remote)
    conversation = {"messages": [with_parts(*parts), REPLY, with_parts(image(PNG_URL)), REPLY]}
    (opened,) = run_import(tmp_path, conversation)
    caller = tokens.caller_from_token(opened["token"])
    first = json.loads(sessions.read(caller).messages[0])
    assert first["content"] == "What is this?"
    _, picture, notes, _ = first["parts"]
    stored, content = files.read(caller, picture["file_id"])
    assert (stored.filename, content) == ("a b; ü,1.png", PNG)
    assert files.read(caller, notes["file_id"])[0].filename == "notes.txt"
    target = tmp_path / "out.jsonl"
    call_command("export", "--output", str(target))
    assert json.loads(target.read_text()) == conversation
    target.unlink()
    call_command("export", "--output", str(target), "--no-files")
    (example,) = finetuning_format.validate_file(target)
    assert example["messages"][0]["content"] == (
        "What is this?\n[image: a b; ü,1.png]\n[file: notes.txt]\n[image: https://example.org/b.png]"
    )


def test_files_of_a_line_are_limited(tmp_path: Path, settings: Settings) -> None:
    settings.CHAT_MAX_SESSION_FILE_BYTES = 1000
    others = [file(to_data_url("text/plain", b"%d" % n * 50)) for n in range(9)]
    (error,) = import_errors(tmp_path, {"messages": [with_parts(*others), REPLY]})
    assert "at most 1000 bytes" in error
    once = {"messages": [with_parts(*[image(PNG_URL)] * 9), REPLY]}
    assert len(run_import(tmp_path, once)) == 1


@pytest.mark.security("S67")
def test_export_contains_a_file_only_as_often_as_a_session_has_room(
    tmp_path: Path, settings: Settings
) -> None:
    """20 references per message to a file of 4 MiB would take gigabytes of memory."""
    references = with_parts(*[file(to_data_url("text/plain", b"x" * 300))] * 5)
    run_import(tmp_path, {"messages": [references, REPLY, references, REPLY]})
    settings.CHAT_MAX_SESSION_FILE_BYTES = 2000
    target = tmp_path / "out.jsonl"
    call_command("export", "--output", str(target))
    first, _, second, _ = json.loads(target.read_text())["messages"]
    assert first == references
    assert second["content"][0] == first["content"][0]
    assert second["content"][1:] == [{"type": "text", "text": "[file: a.txt]"}] * 4
    assert len(run_import(tmp_path, {"messages": [first, REPLY, second, REPLY]})) == 1


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "Not valid JSON"),
        ('{"messages": [{"role": "user", "content": "\\ud800"}]}', "Not valid JSON"),
        ([], "a list of messages"),
        ({"messages": {}}, "a list of messages"),
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
        ({"messages": [message("user", "x" * 1048577), REPLY]}, "at most 1048576 bytes"),
        (
            {"messages": [USER, message("assistant", None, tool_calls=[{}])]},
            "messages[1].tool_calls",
        ),
        (
            {"messages": [with_parts({"type": "image_url"}), REPLY]},
            "content[0].image_url: expected",
        ),
        (
            {"messages": [with_parts(image("http://a/b.png")), REPLY]},
            "image_url.url: expected a data",
        ),
        ({"messages": [with_parts(image(TEXT_URL)), REPLY]}, "image_url.url: expected an image"),
        (
            {"messages": [with_parts(file("data:a;base64,AAAA")), REPLY]},
            "content[0].file: The file",
        ),
        ({"messages": [with_parts(image(PNG_URL, detail="x")), REPLY]}, "image_url.detail"),
        ({"messages": [with_parts(*[image(PNG_URL)] * 21), REPLY]}, "at most 20 parts"),
        ({"messages": [USER, message("assistant", [image(PNG_URL)])]}, "only user messages have"),
        ({"messages": [with_parts({"type": "input_audio"}), REPLY]}, "only parts of type"),
        ({"messages": [message("user", [{"type": "text"}]), REPLY]}, "messages[0].content[0].text"),
        ({"messages": [USER, message("assistant", weight=0.5)]}, "messages[1].weight"),
        ({"messages": [USER, message("assistant", weight=True)]}, "messages[1].weight"),
        ({"messages": [USER, message("assistant", weight=[])]}, "messages[1].weight"),
        ({"messages": [USER, REPLY] * 10_001}, "at most 10,000 turns"),
    ],
)
def test_invalid_line_is_reported_and_nothing_is_opened(
    tmp_path: Path, line: object, error: str
) -> None:
    (printed,) = import_errors(tmp_path, VALID, "", line, VALID)
    assert printed.startswith("line 3: ")
    assert error in printed
    assert "canary" not in printed


def test_only_the_first_errors_are_printed(tmp_path: Path) -> None:
    errors = import_errors(tmp_path, *["{"] * 50)
    assert [line.partition(":")[0] for line in errors] == [f"line {n}" for n in range(1, 21)]


def test_size_limit_of_a_session_applies_to_a_line(tmp_path: Path, settings: Settings) -> None:
    settings.CHAT_MAX_SESSION_BYTES = 100
    long = {"messages": [message("user", "x" * 60), message("assistant", "x" * 41)]}
    assert "at most 100 bytes" in import_errors(tmp_path, long)[0]
    far_too_long = {"messages": [message("user", "x" * 1000), REPLY]}
    assert import_errors(tmp_path, far_too_long, "{") == [
        "line 1: The line is too long: at most 200 bytes.",
        "line 2: Not valid JSON in UTF-8.",
    ]


def test_check_opens_no_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_import(tmp_path, VALID, options=("--check",)) == []
    assert capsys.readouterr().err == "1 conversation valid. No session was opened.\n"
    assert listing.count() == 0


def test_import_reports_the_number_of_conversations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_import(tmp_path, *[VALID] * 3, options=("--from-line", "2"))
    assert capsys.readouterr().err == "2 conversations imported.\n"


@needs_one_server
def test_interrupted_import_resumes_at_the_reported_line(tmp_path: Path, redis: Redis) -> None:
    lines = [VALID] * 5
    memory = redis.info("memory")["used_memory"]
    redis.config_set("maxmemory", memory - 1)
    try:
        with pytest.raises(CommandError, match=r"line 2: .* --from-line 2"):
            run_import(tmp_path, *lines, options=("--from-line", "2"))
        assert listing.count() == 0
    finally:
        redis.config_set("maxmemory", 0)
    resumed = run_import(tmp_path, *lines, options=("--from-line", "2"))
    assert [opened["line"] for opened in resumed] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("options", "error"),
    [(("--ttl", "0"), "--ttl must be 1"), (("--model", "other"), "Unknown model 'other'")],
)
def test_invalid_options_are_rejected(tmp_path: Path, options: tuple[str, ...], error: str) -> None:
    with pytest.raises(CommandError, match=error):
        run_import(tmp_path, VALID, options=options)


@pytest.mark.case("C26")
@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff\n"])
def test_a_file_without_conversations_is_an_error(tmp_path: Path, text: str) -> None:
    source = tmp_path / "source.jsonl"
    source.write_text(text)
    with pytest.raises(CommandError, match="no conversations"):
        call_command("import", str(source))


@pytest.mark.case("C26")
def test_fields_and_parts_of_vendors_are_read(tmp_path: Path) -> None:
    (opened,) = run_import(
        tmp_path,
        {
            "messages": [
                {"role": "system", "content": " "},
                message("developer", "be brief"),
                message("system", [{"type": "text", "text": "and kind"}]),
                message("user", [{"type": "text", "text": "o"}, {"type": "text", "text": "ne?"}]),
                message("assistant", "1", name="bot", tool_calls=None, weight=None, audio=None),
                message("user", "two?", name="Ann"),
                message("assistant", None, refusal="No."),
            ],
            "metadata": {"source": "elsewhere"},
            "tools": [],
        },
    )
    session = sessions.read(tokens.caller_from_token(opened["token"]))
    assert session.system_prompt == b'"be brief\\n\\nand kind"'
    contents = [json.loads(each)["content"] for each in session.messages]
    assert contents == ["one?", "1", "two?", "No."]


@pytest.mark.case("C26")
def test_invalid_lines_can_be_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = run_import(tmp_path, VALID, "{", VALID, options=("--skip",))
    assert [each["line"] for each in opened] == [1, 3]
    assert "1 invalid line skipped." in capsys.readouterr().err
    with pytest.raises(CommandError, match=r"1 invalid line\. No session"):
        run_import(tmp_path, "{", options=("--skip",))
