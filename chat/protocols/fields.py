"""Reads the fields of a request's JSON object. Whatever is not read is an unsupported parameter."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chat.domain.errors import InvalidRequest, UnsupportedParameter
from chat.domain.files import MAX_PARTS, InputPart, PartType
from chat.settings import chat_settings

# OpenAI's limits of metadata.
MAX_PAIRS = 16
MAX_NAME_CHARS = 64
MAX_VALUE_CHARS = 512
# Objects of a list, such as messages.
MAX_OBJECTS = 2000


class Fields:
    """The fields of one object. `null` is the same as no value.

    path: of the object in the request, for errors.

    Raises:
        InvalidRequest: from every method, if a value has another type or is out of range.
    """

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values = {name: value for name, value in values.items() if value is not None}
        self._path = path

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def path(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def peek(self, name: str) -> Any:
        """Return a value without marking it as read."""
        return self._values.get(name)

    def is_list(self, name: str) -> bool:
        return isinstance(self.peek(name), list)

    def take(self, name: str) -> Any:
        """Return a value of any type; `None` if there is none."""
        return self._values.pop(name, None)

    def text(self, name: str, *, max_chars: int = 0, max_bytes: int = 0) -> str | None:
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.invalid(name, "must be a string")
        if max_chars and len(value) > max_chars:
            raise self.invalid(name, f"must have at most {max_chars} characters")
        if max_bytes and len(value.encode()) > max_bytes:
            raise self.invalid(name, f"must have at most {max_bytes} bytes in UTF-8")
        return value

    def boolean(self, name: str, *, default: bool = False) -> bool:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.invalid(name, "must be true or false")
        return value

    def number(self, name: str, low: float, high: float) -> float | None:
        value = self.take(name)
        if value is None:
            return None
        if type(value) not in {int, float} or not low <= value <= high:
            raise self.invalid(name, f"must be a number from {low:g} to {high:g}")
        return float(value)

    def integer(self, name: str, low: int, high: int) -> int | None:
        value = self.take(name)
        if value is None:
            return None
        if type(value) not in {int, float} or value != value // 1 or not low <= value <= high:
            raise self.invalid(name, f"must be an integer from {low} to {high}")
        return int(value)

    def choice(self, name: str, *allowed: str) -> str | None:
        value = self.take(name)
        if value is not None and value not in allowed:
            raise self.invalid(name, f"must be one of {', '.join(allowed)}")
        return None if value is None else str(value)

    def inner(self, name: str) -> "Fields | None":
        """Return the fields of an object."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.invalid(name, "must be an object")
        return Fields(value, self.path(name))

    def objects(self, name: str) -> Iterator["Fields"]:
        """Yield the fields of each object of a list."""
        value = self.take(name)
        if not isinstance(value, list):
            raise self.invalid(name, "must be a list")
        if len(value) > MAX_OBJECTS:
            raise self.invalid(name, f"must have at most {MAX_OBJECTS} objects")
        for i, each in enumerate(value):
            if not isinstance(each, dict):
                raise self.invalid(f"{name}[{i}]", "must be an object")
            yield Fields(each, f"{self.path(name)}[{i}]")

    def last_object(self, name: str) -> "Fields":
        """Return the fields of the last object of a list; the others may be anything."""
        value = self.take(name)
        if not isinstance(value, list) or not value or not isinstance(value[-1], dict):
            raise self.invalid(name, "must be a list that ends with an object")
        return Fields(value[-1], f"{self.path(name)}[{len(value) - 1}]")

    def metadata(self) -> dict[str, str]:
        """Return `metadata`: at most 16 short texts."""
        value = self.take("metadata") or {}
        if not isinstance(value, dict) or not all(
            isinstance(text, str) and len(text) <= MAX_VALUE_CHARS and len(name) <= MAX_NAME_CHARS
            for name, text in value.items()
        ):
            raise self.invalid(
                "metadata",
                f"must be an object of strings, with names of at most {MAX_NAME_CHARS} and values"
                f" of at most {MAX_VALUE_CHARS} characters",
            )
        if len(value) > MAX_PAIRS:
            raise self.invalid("metadata", f"must have at most {MAX_PAIRS} members")
        return value

    def accept(self, name: str, *values: object) -> None:
        """Accept these values, which have no effect, and no others.

        Raises:
            UnsupportedParameter: another value.
        """
        value = self.take(name)
        if value is not None and not any(_is_same(value, each) for each in values):
            raise self.unsupported(name)

    def ignore(self, *names: str) -> None:
        """Accept any values, which have no effect."""
        for name in names:
            self.take(name)

    def reject_others(self) -> None:
        """Check that all fields were read.

        Raises:
            UnsupportedParameter: it names the first one that was not.
        """
        if self._values:
            raise self.unsupported(min(self._values))

    def invalid(self, name: str, problem: str) -> InvalidRequest:
        path = self.path(name)
        return InvalidRequest(f"`{path}` {problem}.", param=path)

    def unsupported(self, name: str) -> UnsupportedParameter:
        path = self.path(name)
        return UnsupportedParameter(
            f"`{path}` is not supported, or not with this value.", param=path
        )


def _is_same(value: object, other: object) -> bool:
    """Compare JSON values: 0 and 0.0 are the same, 0 and false are not."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def check_texts(
    fields: Fields, name: str, values: object, *, most: int, max_chars: int
) -> Sequence[str]:
    """Return a text or a list of at most `most` texts as a sequence."""
    texts = [values] if isinstance(values, str) else values
    if not isinstance(texts, list) or len(texts) > most:
        raise fields.invalid(name, f"must be a string, or a list of at most {most}")
    if not all(isinstance(text, str) and text for text in texts):
        raise fields.invalid(name, "must contain strings that are not empty")
    if max(map(len, texts), default=0) > max_chars:
        raise fields.invalid(name, f"must contain strings of at most {max_chars} characters")
    return texts


def check_parts(fields: Fields, name: str, parts: Sequence[InputPart]) -> Sequence[InputPart]:
    """Return the parts of a message; an empty sequence if they have only text.

    Raises:
        InvalidRequest: there are too many.
    """
    if all(each.part.type is PartType.TEXT for each in parts):
        return ()
    if len(parts) > MAX_PARTS:
        raise fields.invalid(name, f"must have at most {MAX_PARTS} parts")
    return parts


def check_user_text(text: str, param: str) -> None:
    """Check a text that the model is to answer.

    Raises:
        InvalidRequest
    """
    if not text.strip():
        raise InvalidRequest("The input must contain text.", param=param)
    limit = min(chat_settings.MAX_CONTENT_BYTES, 4 * chat_settings.MAX_CONTENT_CHARS)
    if len(text.encode()) > limit or len(text) > chat_settings.MAX_CONTENT_CHARS:
        raise InvalidRequest(f"The input must have at most {limit} bytes.", param=param)
