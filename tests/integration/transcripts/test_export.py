"""`manage.py export`."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from redis import Redis

from chat.conversation import sessions, staff, turns
from chat.conversation.messages import set_feedback
from chat.domain import Caller, Feedback, Rating, Status
from chat.settings import chat_settings
from chat.store import listing
from project.runner.process import ROOT
from tests.integration.api.fake_worker import claim_turn, complete_turn, finish_turn
from tests.integration.transcripts import finetuning_format


def open_session(**fields: Any) -> str:
    return sessions.open_session(**fields)[1].id


def add_turn(
    session_id: str, question: str, answer: str, status: Status = Status.COMPLETED
) -> None:
    turns.submit(caller=Caller.internal(session_id), content=question)
    finish_turn(claim_turn(session_id), answer, status=status)


def rate(session_id: str, message_id: str, rating: Rating) -> None:
    set_feedback(Caller.internal(session_id), message_id, Feedback(rating=rating))


def export_messages(tmp_path: Path, *arguments: str) -> list[Any]:
    """Return the messages of each exported line."""
    target = tmp_path / "exported.jsonl"
    target.unlink(missing_ok=True)
    call_command("export", "--output", str(target), *arguments)
    return [example["messages"] for example in finetuning_format.validate_file(target)]


def contents(conversation: list[dict[str, Any]]) -> list[str]:
    return [message["content"] for message in conversation]


def test_only_completed_turns_are_exported(tmp_path: Path) -> None:
    session_id = open_session(system_prompt="be brief", name="a name")
    add_turn(session_id, "one?", 'one "1"\n\u2028')
    add_turn(session_id, "failed?", "", Status.FAILED)
    add_turn(session_id, "half?", "ha", Status.INCOMPLETE)
    add_turn(session_id, "left?", "le", Status.CANCELLED)
    add_turn(session_id, "blank?", "  \n")
    add_turn(session_id, "two?", "two")
    turns.submit(caller=Caller.internal(session_id), content="open?")
    open_session(system_prompt="never used")
    assert export_messages(tmp_path) == [
        [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "one?"},
            {"role": "assistant", "content": 'one "1"\n\u2028'},
            {"role": "user", "content": "two?"},
            {"role": "assistant", "content": "two"},
        ]
    ]


def test_newest_matching_reply_is_exported(
    tmp_path: Path,
) -> None:
    session_id = open_session()
    add_turn(session_id, "one?", "first")
    rate(session_id, "msg_2", Rating.UP)
    for answer in ("second", "third"):
        turns.regenerate(caller=Caller.internal(session_id), message_id="msg_2")
        complete_turn(session_id, answer)
    assert contents(export_messages(tmp_path)[0]) == ["one?", "third"]
    assert contents(export_messages(tmp_path, "--feedback", "up")[0]) == ["one?", "first"]


def test_feedback_filter_keeps_other_replies_as_context(tmp_path: Path) -> None:
    session_id = open_session()
    for number in range(4):
        add_turn(session_id, f"{number}?", f"{number}")
    rate(session_id, "msg_2", Rating.DOWN)
    rate(session_id, "msg_6", Rating.UP)
    (conversation,) = export_messages(tmp_path, "--feedback", "up")
    assert contents(conversation) == ["0?", "0", "1?", "1", "2?", "2"]
    assert [message.get("weight") for message in conversation[1::2]] == [0, 0, None]
    (conversation,) = export_messages(tmp_path, "--feedback", "down")
    assert contents(conversation) == ["0?", "0"]


def test_dates_filter_replies(tmp_path: Path) -> None:
    add_turn(open_session(), "one?", "one")
    now = datetime.now(UTC)
    before, after = (now + timedelta(hours=hours) for hours in (-1, 1))
    assert len(export_messages(tmp_path, "--since", before.isoformat())) == 1
    assert len(export_messages(tmp_path, "--until", after.isoformat())) == 1
    assert export_messages(tmp_path, "--since", after.isoformat()) == []
    assert export_messages(tmp_path, "--until", before.isoformat()) == []
    assert export_messages(tmp_path, "--since", "2999-01-01") == []


def test_model_filters_replies(tmp_path: Path) -> None:
    add_turn(open_session(), "one?", "one")
    assert len(export_messages(tmp_path, "--model", "default")) == 1
    with pytest.raises(CommandError, match="Unknown model 'other'"):
        export_messages(tmp_path, "--model", "other")


@pytest.mark.case("C36")
def test_every_line_splitter_finds_one_line_per_session(tmp_path: Path) -> None:
    text = "one\u2028two\u2029three\x85four\x0b\x0c\x1c\x1d\x1e\\u2028"
    target = tmp_path / "exported.jsonl"
    for _ in range(2):
        add_turn(open_session(system_prompt=text), text, text)
    call_command("export", "--output", str(target))
    lines = target.read_text().splitlines()
    assert [contents(json.loads(line)["messages"]) for line in lines] == [[text] * 3] * 2
    call_command("import", str(target))
    raw = target.read_text().replace(r"e\u0085f", "e\x85f").replace(r"e\u2028t", "e\u2028t")
    assert len(raw.splitlines()) > len(lines)
    target.write_text(raw)
    call_command("import", str(target))
    target.unlink()
    conversations = export_messages(tmp_path)
    assert [contents(each) for each in conversations] == [[text] * 3] * 6


def test_redacted_turns_are_not_exported(tmp_path: Path) -> None:
    session_id = open_session()
    for number in range(3):
        add_turn(session_id, f"{number}?", f"{number}")
    staff.redact(session_id, "msg_1")
    staff.redact(session_id, "msg_4")
    assert contents(export_messages(tmp_path)[0]) == ["2?", "2"]


def test_long_history_is_exported_in_order(tmp_path: Path) -> None:
    import_conversation(tmp_path, [f"{number}" for number in range(1000)])
    (conversation,) = export_messages(tmp_path)
    assert contents(conversation) == [f"{number}" for number in range(1000)]


def import_conversation(tmp_path: Path, texts: list[str]) -> None:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    source = tmp_path / "source.jsonl"
    source.write_text(json.dumps({"messages": messages}) + "\n")
    call_command("import", str(source))


def test_scan_finds_each_session_once_despite_activity(redis: Redis, settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 16
    session_ids = {open_session() for _ in range(300)}
    for partition in range(chat_settings.PARTITIONS):
        for n in range(600):
            redis.zadd(f"chat:{{{partition}}}:by_activity", {f"other_{partition}_{n}": 1})
    seen: list[str] = []
    for batch in listing.scan():
        seen += batch
        for session_id in list(session_ids)[: len(seen) % 7]:
            sessions.touch(Caller.internal(session_id))
    assert len(seen) == len(set(seen)) == 9_900
    assert session_ids <= set(seen)
    redis.flushall()


def test_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    add_turn(open_session(), "one?", "one")
    target = tmp_path / "kept.jsonl"
    target.write_text("mine")
    with pytest.raises(CommandError, match="already exists"):
        call_command("export", "--output", str(target))
    assert target.read_text() == "mine"
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export", "--output", str(tmp_path / "nowhere" / "x.jsonl"))


def run_export(settings: Settings, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run `manage.py export` in a separate process."""
    return subprocess.run(
        [sys.executable, "manage.py", "export"],
        cwd=ROOT,
        env={
            "REDIS_URL": settings.REDIS_URL,
            "BROKER_URL": settings.BROKER_URL,
            "PATH": "",
            "LOG_LEVEL": "INFO",
        },
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
        **options,
    )


@pytest.mark.thorough
def test_closed_pipe_ends_the_export_with_one_line(settings: Settings) -> None:
    """Test `manage.py export | head -1`."""
    add_turn(open_session(), "one?", "one")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        done = run_export(settings, stdout=stdout)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1:] == [
        b"CommandError: Broken pipe. The export is incomplete."
    ]
    assert b"Traceback" not in done.stderr


def test_export_writes_lines_to_standard_output(settings: Settings) -> None:
    """Test `manage.py export > file`."""
    add_turn(open_session(), "one?", "one")
    done = run_export(settings, stdout=subprocess.PIPE)
    (line,) = done.stdout.splitlines()
    finetuning_format.validate(json.loads(line))
    assert b"1 conversation exported." in done.stderr
