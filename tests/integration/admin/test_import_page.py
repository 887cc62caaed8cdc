"""The import page: sessions from a file, whose tokens are shown once."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chat.conversation import sessions, tokens
from chat.domain.files import to_data_url
from chat.store import listing
from chat.transcripts import jsonl
from tests.integration.admin.sessions import LIST

PAGE = f"{LIST}import/"
IMAGE = {"type": "image_url", "image_url": {"url": to_data_url("image/png", b"\x89PNG\r\n\x1a\n")}}
VALID = {
    "messages": [{"role": "user", "content": [IMAGE]}, {"role": "assistant", "content": "A cat."}]
}


def upload(admin: Client, *lines: object, **fields: object) -> str:
    content = "\n".join(map(json.dumps, lines)).encode()
    form: Any = {"file": SimpleUploadedFile("a.jsonl", content), "model": "default", "hours": "2"}
    return admin.post(PAGE, {**form, **fields}).content.decode()


def test_imported_sessions_have_their_images_and_tokens(admin: Client) -> None:
    assert "Import" in admin.get(LIST).content.decode()
    html = upload(admin, VALID, VALID, name="old")
    found = re.findall(r"ses_[0-9a-f]{24}\.[\w-]{43}", html)
    assert len(found) == 2
    session = sessions.read(tokens.caller_from_token(found[0]))
    assert session.name == b'"old"'
    assert 7100 < session.expires_at - session.now <= 7200
    (part,) = json.loads(session.messages[0])["parts"]
    assert part["media_type"] == "image/png"
    assert found[0] not in admin.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("lines", "fields", "error"),
    [
        ([VALID, {"messages": []}], {}, "line 2: messages: the last one must be a reply"),
        ([], {}, "1 to 100 conversations, not 0"),
        ([VALID] * 101, {}, "1 to 100 conversations, not 101"),
        ([VALID], {"model": "x"}, "Choose a model."),
        ([VALID], {"hours": "x"}, "Hours must be a number."),
        ([VALID], {"hours": "inf"}, "Hours must be a number."),
        ([VALID], {"hours": "9999"}, "At most 720 hours are allowed."),
    ],
)
def test_invalid_import_opens_no_session(
    admin: Client, lines: list[object], fields: dict[str, str], error: str
) -> None:
    assert error in upload(admin, *lines, **fields)
    assert listing.count() == 0


def test_invalid_file_is_read_up_to_its_first_errors(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []
    parse = jsonl.parse

    def count(line: bytes) -> jsonl.Transcript:
        parsed.append(line)
        return parse(line)

    monkeypatch.setattr(jsonl, "parse", count)
    assert "line 20: " in upload(admin, *range(1000))
    assert len(parsed) == 20


def test_only_superusers_import(staff: Callable[..., Client]) -> None:
    viewer = staff("view_session")
    assert viewer.get(PAGE).status_code == 403
    assert "object-tools" not in viewer.get(LIST).content.decode()
