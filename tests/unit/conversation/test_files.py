"""Types and names of files."""

import pytest
from pytest_django import Settings

from chat.conversation import files
from chat.domain.errors import BodyTooLarge, UnsupportedContent

TYPES = {
    b"\x89PNG\r\n\x1a\n...": "image/png",
    b"\xff\xd8\xff\xe0": "image/jpeg",
    b"GIF89a": "image/gif",
    b"RIFF\0\0\0\0WEBPVP8 ": "image/webp",
    b"%PDF-1.7": "application/pdf",
    "Gr\u00fc\u00dfe <script>".encode(): "text/plain",
}


@pytest.mark.parametrize("content", TYPES)
def test_type_is_detected_from_the_content(content: bytes) -> None:
    assert files.describe(content, "a.html").media_type == TYPES[content]


@pytest.mark.parametrize(
    "content", [b"", b"MZ\x90\0", b"\xff\xfe", b"RIFF\0\0\0\0WAVE\xff", b"a\0b"]
)
def test_other_types_are_rejected(content: bytes) -> None:
    with pytest.raises(UnsupportedContent):
        files.describe(content)


def test_large_files_are_rejected(settings: Settings) -> None:
    settings.CHAT_MAX_FILE_BYTES = 10
    assert files.describe(b"x" * 10).bytes == 10
    with pytest.raises(BodyTooLarge):
        files.describe(b"x" * 11)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\a\\b.txt", "b.txt"),
        ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
        ("", "file.txt"),
        ("x" * 300, "x" * 200),
    ],
)
def test_names_are_cleaned(given: str, name: str) -> None:
    assert files.describe(b"text", given).filename == name
