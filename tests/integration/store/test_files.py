"""Files of sessions: stored once, within limits, and deleted with their session."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis

from chat.conversation import files as session_files
from chat.conversation import history
from chat.conversation.sessions import append_history, create_session, open_with_history
from chat.domain import Caller, History, InputMessage, PastTurn, Principal, Role
from chat.domain.errors import QuotaExceeded, SessionFilesFull, SessionFull, SessionNotFound
from chat.domain.files import InputPart, Part, PartType
from chat.store import admin, files, keys, sessions, snapshots, turns
from chat.store.calls import run
from chat.store.message_json import message_number_in
from tests.harness.redis_cluster import needs_one_server
from tests.integration.store import steps

PNG = b"\x89PNG\r\n\x1a\n"


def put(caller: Caller, content: bytes = PNG, filename: str = "a.png") -> str:
    return session_files.store(caller, content, filename).id


def sizes(redis: Redis, caller: Caller) -> tuple[int, int]:
    """Return the bytes of the session, and of its files."""
    names = ["bytes", "file_bytes"]
    found: Any = redis.hmget(keys.for_session(caller.session_id).session, names)
    bytes_, of_files = (int(each or 0) for each in found)
    return bytes_, of_files


def test_same_file_is_stored_once(caller: Caller, redis: Redis) -> None:
    first = put(caller)
    after_one = sizes(redis, caller)
    assert put(caller) == first
    assert sizes(redis, caller) == after_one
    assert put(caller, filename="b.png") != first
    file, content = session_files.read(caller, first)
    assert (content, file.media_type, file.bytes) == (PNG, "image/png", len(PNG))
    assert file.sha256 == hashlib.sha256(PNG).hexdigest()
    assert redis.pexpiretime(keys.for_session(caller.session_id).files) > 0


def test_files_are_limited(caller: Caller, settings: Settings) -> None:
    settings.CHAT_MAX_SESSION_FILE_BYTES = 1000
    put(caller)
    with pytest.raises(SessionFilesFull):
        put(caller, PNG + bytes(1000))
    settings.CHAT_MAX_SESSION_FILE_BYTES = 2000
    settings.CHAT_MAX_SESSION_BYTES = 2000
    with pytest.raises(SessionFull):
        put(caller, PNG + bytes(1500))


def test_files_of_added_turns_are_limited(redis: Redis, settings: Settings) -> None:
    caller = steps.create_session()
    content = PNG + bytes(600)
    part = InputPart(Part(PartType.IMAGE), content)
    turns_ = history.build([InputMessage(Role.USER, "", (part,))])
    settings.CHAT_MAX_SESSION_FILE_BYTES = 1000
    for _ in range(2):  # stored once
        append_history(caller, turns_)
    assert len(content) < sizes(redis, caller)[1] < 1000
    other = history.build([InputMessage(Role.USER, "", (part._replace(content=PNG + bytes(300)),))])
    before = sizes(redis, caller)
    with pytest.raises(SessionFilesFull):
        append_history(caller, other)
    assert sizes(redis, caller) == before
    settings.CHAT_MAX_SESSION_FILE_BYTES = 100
    with pytest.raises(SessionFilesFull):
        open_with_history(other)


def test_files_belong_to_their_session(caller: Caller) -> None:
    file_id = put(caller)
    other = steps.create_session()
    assert files.describe(other, [file_id]) == [None]
    with pytest.raises(SessionNotFound):
        files.describe(Caller(session_id=caller.session_id, credential="wrong"), [file_id])


def copy(source: Caller, file_id: str) -> Caller:
    """Copy a session of one turn with a file, as an API key does."""
    (file,) = files.describe(source, [file_id])
    assert file is not None
    turn = PastTurn("Look", "A cat", [Part(PartType.IMAGE).with_file(file)])
    past = History(turns=[turn], source=source.session_id, copied={file_id: file})
    key = Principal(api_key="0123456789ab")
    _, new = run(create_session(snapshots.read.steps, past, address="", principal=key))
    return Caller.internal(new.id)


def transferred(redis: Redis) -> int:
    stats: Any = redis.info("stats")
    return int(stats["total_net_input_bytes"] + stats["total_net_output_bytes"])


@needs_one_server
@pytest.mark.security("S65")
def test_redis_copies_files_within_the_quota(redis: Redis, settings: Settings) -> None:
    source, content = steps.create_session(), PNG + bytes(1_000_000)
    file_id, other = put(source, content), put(source)
    before = transferred(redis)
    new = copy(source, file_id)
    assert transferred(redis) - before < len(content)
    (found, missing) = files.read(new, [file_id, other])
    assert found is not None
    assert found[1] == content
    assert missing is None
    assert sizes(redis, new)[0] > sizes(redis, new)[1] > len(content)
    assert redis.pexpiretime(keys.for_session(new.session_id).files) > 0
    existing = set(redis.keys("*:ses_*"))
    settings.CHAT_MAX_BYTES_PER_TENANT = 2 * len(content)
    with pytest.raises(QuotaExceeded):
        copy(source, file_id)
    settings.CHAT_MAX_BYTES_PER_TENANT = 0
    settings.CHAT_MAX_SESSIONS_PER_TENANT = 0
    redis.hdel(keys.for_session(source.session_id).files, file_id)  # after it was described
    with pytest.raises(SessionNotFound):
        copy(source, file_id)
    assert set(redis.keys("*:ses_*")) == existing


def test_reset_and_deletion_remove_files(redis: Redis) -> None:
    caller = steps.create_session()
    key = keys.for_session(caller.session_id).files
    file_id = put(caller)
    sessions.reset(caller, key="1")
    assert not redis.exists(key)
    assert sizes(redis, caller)[1] == 0
    assert put(caller) == file_id
    sessions.delete(caller)
    assert not redis.exists(key)


def test_redaction_deletes_files_of_the_message(caller: Caller, redis: Redis) -> None:
    kept, deleted = put(caller, filename="kept.png"), put(caller, filename="deleted.png")
    text = b'{"type":"text","text":"\\"file_id\\":\\"%b\\"],\\"content\\":\\""}' % kept.encode()
    parts = b'[%b,{"type":"image","file_id":"%b"}]' % (text, deleted.encode())
    submission = replace(steps.submission("look"), parts=parts)
    message = turns.submit(caller, submission).message
    number = message_number_in(message)
    assert b'"parts":' + parts in sessions.message(caller, number)
    before = sizes(redis, caller)
    assert admin.redact(caller, number, b"[redacted]")
    assert b"parts" not in sessions.message(caller, number)
    found = files.describe(caller, [kept, deleted])
    assert [each is not None for each in found] == [True, False]
    assert sizes(redis, caller)[1] < before[1]
