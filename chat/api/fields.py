"""Serializer fields that reject a JSON value of another type, where DRF's fields convert it."""

import re
from typing import Any

import orjson
from rest_framework import serializers

from chat.settings import chat_settings

# Invisible characters, as ranges of a regular expression: control characters, white space,
# Unicode's default ignorable code points (such as zero-width characters), and the Braille blank.
INVISIBLE = (
    "\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    "\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
VISIBLE = re.compile(f"[^{INVISIBLE}]")
NO_NUL = "^[^\x00]*$"
NOT_BLANK = f"^[^\x00]*[^{INVISIBLE}][^\x00]*$"


def is_blank(text: str) -> bool:
    """Return whether the text contains no visible character."""
    return VISIBLE.search(text) is None


class StrictCharField(serializers.CharField):
    """A string, kept unchanged."""

    def __init__(self, *, max_bytes: int | None = None, **kwargs: Any) -> None:
        # DRF rejects an empty string anyway; `min_length` adds it to the schema.
        min_length = None if kwargs.get("allow_blank") else 1
        super().__init__(trim_whitespace=False, min_length=min_length, **kwargs)
        # Maximum length in UTF-8.
        self.max_bytes = max_bytes

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if self.max_bytes is not None and len(data.encode()) > self.max_bytes:
            raise serializers.ValidationError(
                f"Must have at most {self.max_bytes} bytes in UTF-8.", "max_bytes"
            )
        return data


class ContentField(StrictCharField):
    """The content of a message: a string with at least one visible character."""

    def run_validation(self, data: Any = serializers.empty) -> str:
        content: str = super().run_validation(data)
        if is_blank(content):
            self.fail("blank")
        return content


class StrictBooleanField(serializers.BooleanField):
    """`true` or `false`, but not `"true"` or 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictIntegerField(serializers.IntegerField):
    """An integer, possibly written as 5.0, but not as `"5"` or `true`."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) not in {int, float} or data != data // 1:
            self.fail("invalid")
        return int(data)


class StrictFloatField(serializers.FloatField):
    """A number, but not `"0.5"` or `true`."""

    def to_internal_value(self, data: Any) -> float:
        if type(data) not in {int, float}:
            self.fail("invalid")
        return float(data)


class MetadataField(serializers.DictField):
    """An arbitrary JSON object."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        metadata: dict[str, Any] = super().to_internal_value(data)
        if len(orjson.dumps(metadata)) > chat_settings.MAX_METADATA_BYTES:
            raise serializers.ValidationError(
                f"Must have at most {chat_settings.MAX_METADATA_BYTES} bytes as JSON.", "max_bytes"
            )
        return metadata
