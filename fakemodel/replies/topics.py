"""What a message is about, and choices that are the same for the same message."""

import re
import zlib
from collections.abc import Sequence

WORD = re.compile(r"[^\W_][\w'+#.-]*[\w+#]|[^\W_]")
MARKER = re.compile(r"\[\[[^\[\]]*\]\]")
SMALL = frozenset(
    word
    for line in (
        "a about an and any are as at be been can code could describe did do does explain for",
        "from function give have how i i'd i'm in into is it its know let like list long make",
        "me my need of on or please program script show snippet some steps story table tell",
        "than that the their them there these this to us want was we were what what's when",
        "where which who why will with would write you your",
    )
    for word in line.split()
)
WORDS = 6  # as many of a message as make a readable heading


def topic(message: str) -> str:
    """The words of `message` that carry its meaning, at most six; "that" where there are none."""
    words = WORD.findall(MARKER.sub(" ", message))
    return " ".join([word for word in words if word.lower() not in SMALL][:WORDS]) or "that"


def choose(choices: Sequence[str], message: str, seed: int) -> str:
    """One of `choices`; the same one for the same message and seed."""
    return choices[zlib.crc32(message.encode(), seed & 0xFFFFFFFF) % len(choices)]
