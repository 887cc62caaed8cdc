"""Text that is spliced into the JSON of messages."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from chat.store.message_json import json_escape

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(TEXTS))
def test_escaped_parts_concatenate_to_the_escaped_text(parts: list[str]) -> None:
    joined = b"".join(map(json_escape, parts))
    assert joined == json_escape("".join(parts))
    assert orjson.loads(b'"' + joined + b'"') == "".join(parts)
