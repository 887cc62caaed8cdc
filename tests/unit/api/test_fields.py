import sys
import unicodedata

import pytest

from chat.api.fields import is_blank


@pytest.mark.security("S14")
def test_spaces_and_control_characters_are_blank() -> None:
    kinds = {"Zs", "Zl", "Zp", "Cc"}
    spaces = [
        char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(char) in kinds
    ]
    assert is_blank("".join(spaces))


@pytest.mark.parametrize("text", ["a", "0", "é", "۝", "👋", "\u200ba", " .", "\ue000", "語"])
def test_visible_text_is_not_blank(text: str) -> None:
    assert not is_blank(text)


@pytest.mark.security("S14")
@pytest.mark.parametrize("name", ["ZERO WIDTH SPACE", "WORD JOINER", "HANGUL FILLER"])
def test_invisible_text_is_blank(name: str) -> None:
    assert is_blank(unicodedata.lookup(name))
