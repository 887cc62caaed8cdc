"""Generation options that both kinds of requests have, under different names."""

from collections.abc import Mapping
from typing import Any

import orjson

from chat.protocols.fields import Fields

MAX_TOKENS = 10_000_000
# OpenAI allows 0, which other servers reject; it has the same effect.
MIN_TOP_P = 0.001
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
MAX_LABEL_CHARS = 512
MAX_SCHEMA_BYTES = 64 * 1024


def read_sampling(fields: Fields) -> dict[str, Any]:
    """Return temperature and top_p, as far as they are set."""
    top_p = fields.number("top_p", 0, 1)
    return {
        "temperature": fields.number("temperature", 0, 2),
        "top_p": None if top_p is None else max(MIN_TOP_P, top_p),
    }


def read_format(form: Fields | None, *, is_flat: bool) -> Mapping[str, Any] | None:
    """Return the format of the reply as chat completions have it; `None` for text.

    is_flat: name and schema are members of the format itself, as in responses.
    """
    if form is None:
        return None
    kind = form.choice("type", "text", "json_object", "json_schema")
    if kind is None:
        raise form.invalid("type", "is required")
    if kind != "json_schema":
        form.reject_others()
        return None if kind == "text" else {"type": kind}
    schema = form if is_flat else form.inner("json_schema")
    if schema is None:
        raise form.invalid("json_schema", "is required")
    members = _read_schema(schema)
    form.reject_others()
    return {"type": kind, "json_schema": members}


def _read_schema(fields: Fields) -> dict[str, Any]:
    name = fields.text("name", max_chars=64)
    if not name:
        raise fields.invalid("name", "is required")
    optional = {
        "description": fields.text("description", max_chars=4096),
        "schema": fields.take("schema"),
        "strict": fields.boolean("strict") if "strict" in fields else None,
    }
    members = {"name": name} | {key: each for key, each in optional.items() if each is not None}
    if not isinstance(members.get("schema", {}), dict):
        raise fields.invalid("schema", "must be an object")
    if len(orjson.dumps(members)) > MAX_SCHEMA_BYTES:
        raise fields.invalid("schema", f"must have at most {MAX_SCHEMA_BYTES} bytes")
    fields.reject_others()
    return members


def read_user(fields: Fields) -> tuple[str | None, str | None]:
    """Return the deprecated `user`, and `safety_identifier`."""
    user = fields.text("user", max_chars=MAX_LABEL_CHARS)
    return user, fields.text("safety_identifier", max_chars=MAX_LABEL_CHARS)
