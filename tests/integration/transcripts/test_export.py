"""What `manage.py export` takes out."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from redis import Redis

from chat.conversation import sessions, staff, turns
from chat.conversation.messages import set_feedback
from chat.domain import Caller, Feedback, Rating, Status
from chat.store import listing
from project.runner.process import ROOT
from tests.integration.api.fake_worker import claim_turn, complete_turn, finish_turn
from tests.integration.transcripts import rules


def opened(**fields: Any) -> str:
    return sessions.open_session(**fields)[1].id


def said(session_id: str, question: str, answer: str, status: Status = Status.COMPLETED) -> None:
    turns.submit(caller=Caller(session_id=session_id), content=question)
    finish_turn(claim_turn(session_id), answer, status=status)


def rated(session_id: str, message_id: str, rating: Rating) -> None:
    set_feedback(Caller(session_id=session_id), message_id, Feedback(rating=rating))


def exported(tmp_path: Path, *arguments: str) -> list[Any]:
    """Return the messages of each line, which must be sound."""
    target = tmp_path / "exported.jsonl"
    target.unlink(missing_ok=True)
    call_command("export", "--output", str(target), *arguments)
    return [example["messages"] for example in rules.check_file(target)]


def contents(conversation: list[dict[str, Any]]) -> list[str]:
    return [message["content"] for message in conversation]


def test_completed_turns_are_exported_and_no_others(tmp_path: Path) -> None:
    session_id = opened(system_prompt="be brief", name="a name")
    said(session_id, "one?", 'one "1"\n\u2028')
    said(session_id, "failed?", "", Status.FAILED)
    said(session_id, "half?", "ha", Status.INCOMPLETE)
    said(session_id, "left?", "le", Status.CANCELLED)
    said(session_id, "blank?", "  \n")
    said(session_id, "two?", "two")
    turns.submit(caller=Caller(session_id=session_id), content="open?")
    opened(system_prompt="nobody came")
    assert exported(tmp_path) == [
        [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "one?"},
            {"role": "assistant", "content": 'one "1"\n\u2028'},
            {"role": "user", "content": "two?"},
            {"role": "assistant", "content": "two"},
        ]
    ]


def test_of_several_replies_the_newest_is_exported_or_the_newest_that_is_wanted(
    tmp_path: Path,
) -> None:
    session_id = opened()
    said(session_id, "one?", "first")
    rated(session_id, "msg_2", Rating.UP)
    for answer in ("second", "third"):
        turns.regenerate(caller=Caller(session_id=session_id), message_id="msg_2")
        complete_turn(session_id, answer)
    assert contents(exported(tmp_path)[0]) == ["one?", "third"]
    assert contents(exported(tmp_path, "--feedback", "up")[0]) == ["one?", "first"]


def test_feedback_chooses_replies_and_the_others_are_context(tmp_path: Path) -> None:
    session_id = opened()
    for number in range(4):
        said(session_id, f"{number}?", f"{number}")
    rated(session_id, "msg_2", Rating.DOWN)
    rated(session_id, "msg_6", Rating.UP)
    (conversation,) = exported(tmp_path, "--feedback", "up")
    assert contents(conversation) == ["0?", "0", "1?", "1", "2?", "2"]
    assert [message.get("weight") for message in conversation[1::2]] == [0, 0, None]
    (conversation,) = exported(tmp_path, "--feedback", "down")
    assert contents(conversation) == ["0?", "0"]


def test_dates_choose_replies(tmp_path: Path) -> None:
    said(opened(), "one?", "one")
    now = datetime.now(UTC)
    before, after = (now + timedelta(hours=hours) for hours in (-1, 1))
    assert len(exported(tmp_path, "--since", before.isoformat())) == 1
    assert len(exported(tmp_path, "--until", after.isoformat())) == 1
    assert exported(tmp_path, "--since", after.isoformat()) == []
    assert exported(tmp_path, "--until", before.isoformat()) == []
    assert exported(tmp_path, "--since", "2999-01-01") == []


def test_a_model_chooses_replies(tmp_path: Path) -> None:
    said(opened(), "one?", "one")
    assert len(exported(tmp_path, "--model", "default")) == 1
    with pytest.raises(CommandError, match="Unknown model 'other'"):
        exported(tmp_path, "--model", "other")


def test_what_was_redacted_is_left_out_with_its_turn(tmp_path: Path) -> None:
    session_id = opened()
    for number in range(3):
        said(session_id, f"{number}?", f"{number}")
    staff.redact(session_id, "msg_1")
    staff.redact(session_id, "msg_4")
    assert contents(exported(tmp_path)[0]) == ["2?", "2"]


def test_a_history_of_many_pages_is_exported_in_order(tmp_path: Path) -> None:
    import_of(tmp_path, [f"{number}" for number in range(1000)])
    (conversation,) = exported(tmp_path)
    assert contents(conversation) == [f"{number}" for number in range(1000)]


def import_of(tmp_path: Path, texts: list[str]) -> None:
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    source = tmp_path / "source.jsonl"
    source.write_text(json.dumps({"messages": messages}) + "\n")
    call_command("import", str(source))


def test_a_walk_finds_every_session_once_though_all_are_active_meanwhile(redis: Redis) -> None:
    session_ids = {opened() for _ in range(300)}
    for tag in range(16):
        for n in range(1000):
            redis.zadd(f"chat:{{{tag}}}:by_activity", {f"other_{tag}_{n}": 1})
    seen: list[str] = []
    for stride in listing.scan():
        seen += stride
        for session_id in list(session_ids)[: len(seen) % 7]:
            sessions.touch(Caller(session_id=session_id))
    assert len(seen) == len(set(seen)) == 16_300
    assert session_ids <= set(seen)
    redis.flushall()


def test_a_file_has_its_name_once_it_is_whole_and_none_is_overwritten(tmp_path: Path) -> None:
    said(opened(), "one?", "one")
    target = tmp_path / "kept.jsonl"
    target.write_text("mine")
    with pytest.raises(CommandError, match="already exists"):
        call_command("export", "--output", str(target))
    assert target.read_text() == "mine"
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export", "--output", str(tmp_path / "nowhere" / "x.jsonl"))


def run_by_itself(redis: Redis, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run `manage.py export` in a process of its own."""
    place = redis.connection_pool.connection_kwargs
    url = f"redis://:{place['password']}@{place['host']}:{place['port']}/0"
    return subprocess.run(
        [sys.executable, "manage.py", "export"],
        cwd=ROOT,
        env={"REDIS_URL": url, "PATH": "", "LOG_LEVEL": "INFO"},
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
        **options,
    )


def test_an_export_whose_reader_has_enough_ends_with_a_line(redis: Redis) -> None:
    """As `manage.py export | head -1` runs it."""
    said(opened(), "one?", "one")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        done = run_by_itself(redis, stdout=stdout)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1:] == [
        b"CommandError: Broken pipe. The export is incomplete."
    ]
    assert b"Traceback" not in done.stderr


def test_an_export_goes_through_a_pipe_and_its_bar_to_the_terminal(redis: Redis) -> None:
    """As `manage.py export > file` runs it."""
    said(opened(), "one?", "one")
    done = run_by_itself(redis, stdout=subprocess.PIPE)
    (line,) = done.stdout.splitlines()
    rules.check(json.loads(line))
    assert b"1 conversation exported." in done.stderr
