"""Answers that show a page something to render: code, lists, tables, sums, a long read."""

import operator
import re
from collections.abc import Callable
from decimal import Decimal, DecimalException

from fakemodel.replies.memory import Memory
from fakemodel.replies.topics import topic

READ = 2000  # characters of the message that decide what it is about
COUNT_TO = 200  # beyond it nobody watches

HELP = """I am Parley's **dev model**: no intelligence, but a real HTTP server. Try:

1. `My name is Ada`, then `What is my name?`
2. `What did I say before?` or `What was my first question?`
3. `What is 12 * 7?` or `Count to 20`
4. `Steps to bake bread`, `Python code for a queue`, `A table of planets`
5. `Tell me a long story` to watch a reply grow, with `[[rate=15]]` for a slower one
6. `Hello [[fault:429 retry_after=3 times=1]]` to see me misbehave"""

CODE = """Here is a sketch for **{topic}**:

```python
def {name}(items: list[str]) -> dict[str, int]:
    \"\"\"Count how often each item occurs.\"\"\"
    counts: dict[str, int] = {{}}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts


print({name}(["tea", "milk", "tea"]))
```

It prints `{{'tea': 2, 'milk': 1}}`."""

STEPS = """Here is how I would go about **{topic}**:

1. **Look** at what is there, and write down what should be different.
2. **Try** the smallest change that could work.
3. **Check** the result against what you wrote down.
4. **Repeat** until nothing on the list is left.

> Small steps are faster than they look."""

TABLE = """**{topic}**, side by side:

| | first choice | second choice |
|---|---|---|
| effort | small | larger |
| risk | low | medium |
| worth it | today | later |"""

PARAGRAPHS = (
    "It began, as these things do, with a question nobody had asked aloud: what about {topic}?",
    "For a while there was only the sound of keys. One line, then another, then a line taken out.",
    "By noon there was something to look at. It was small, and it worked, which was a surprise.",
    "Somebody came by and asked what it was for. There was no good answer yet, so they had tea.",
    "In the afternoon it broke. The reason was an old one: two things believed they were alone.",
    "So each was given a number, and whoever held the older number had to let go. That was all.",
    "In the evening it ran while nobody watched. It is the nicest thing one can say of a program.",
    "And {topic}? It turned out to be the easy part. It often is, once the rest is in order.",
)

OPERATORS: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "x": operator.mul,
    "\u00d7": operator.mul,
    "/": operator.truediv,
    "\u00f7": operator.truediv,
}
NUMBER = r"(-?\d{1,12}(?:\.\d{1,6})?)"


def quote(text: str) -> str:
    """`text` as a Markdown quotation."""
    return "\n".join(f"> {line}" for line in text.splitlines()) or "> "


def calculate(_memory: Memory, found: re.Match[str], _seed: int) -> str:
    """The result of one sum of two numbers."""
    left, sign, right = Decimal(found[1]), found[2], Decimal(found[3])
    try:
        result = OPERATORS[sign](left, right)
    except DecimalException:
        return "That has no result: one cannot divide by zero."
    plain = format(result.normalize(), "f")
    return f"{found[1]} {sign} {found[3]} = **{plain}**"


def count(_memory: Memory, found: re.Match[str], _seed: int) -> str:
    """The numbers from 1 on."""
    return ", ".join(str(number) for number in range(1, min(int(found[1]), COUNT_TO) + 1))


def show_code(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """A code block."""
    subject = topic(memory.now[:READ])
    name = re.sub(r"[^a-z]+", "_", subject.lower()).strip("_")[:30] or "count"
    return CODE.format(topic=subject, name=f"count_{name}" if name != "count" else name)


def show_steps(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """A numbered list and a quotation."""
    return STEPS.format(topic=topic(memory.now[:READ]))


def show_table(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """A Markdown table."""
    return TABLE.format(topic=topic(memory.now[:READ]))


def tell_story(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """A few hundred words, long enough to watch them come."""
    subject = topic(memory.now[:READ])
    return "\n\n".join(paragraph.format(topic=subject) for paragraph in PARAGRAPHS)


def show_help(_memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """What one can ask the dev model."""
    return HELP


def be_polite(_memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """An answer to thanks and to goodbyes."""
    return "You are welcome. I am here when you need me."


def when(pattern: str) -> re.Pattern[str]:
    """`pattern`, compiled so that case does not matter."""
    return re.compile(pattern, re.IGNORECASE)


ANSWERS = (
    (when(rf"(?<![\w.]){NUMBER}\s*([-+*/x\u00d7\u00f7])\s*{NUMBER}(?![\w.]*\w)"), calculate),
    (when(r"\bcount (?:up )?(?:from 1 )?to (\d{1,6})\b"), count),
    (when(r"^\W*(?:help|who are you|what (?:are|can) you)\b"), show_help),
    (when(r"^\W*(?:thanks|thank you|bye|goodbye)\b"), be_polite),
    (when(r"\b(?:code|function|script|program|snippet)\b"), show_code),
    (when(r"\btable\b"), show_table),
    (when(r"\b(?:steps|list|how (?:do|to|can))\b"), show_steps),
    (when(r"\b(?:story|essay|long)\b"), tell_story),
)
