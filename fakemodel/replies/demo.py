"""Pleasant, deterministic replies for a demo: small talk, memory, little Markdown answers."""

import re
from collections.abc import Callable

from fakemodel.replies import memory as remembered
from fakemodel.replies import samples
from fakemodel.replies.memory import Memory
from fakemodel.replies.topics import choose, topic

# Only the beginning of a message decides what it is about.
READ = 2000  # characters

OPENINGS = (
    "Good question about **{topic}**.",
    "Let us look at **{topic}**.",
    "**{topic}** is worth a closer look.",
    "Happy to help with **{topic}**.",
)
GREETINGS = (
    "Hello{name}! What would you like to talk about?",
    "Hi{name}! Good to see you. What can I do for you?",
    "Hello{name}! I am all ears.",
)

Answer = Callable[[Memory, re.Match[str], int], str]


def compose(memory: Memory, seed: int) -> str:
    """The reply to `memory.now`; the same for the same conversation and seed."""
    now = memory.now[:READ]
    for pattern, answer in ANSWERS:
        if found := pattern.search(now):
            return answer(memory, found, seed)
    return about(memory, seed)


def about(memory: Memory, seed: int) -> str:
    """A helpful little answer that takes up the question's topic."""
    subject = topic(memory.now[:READ])
    opening = choose(OPENINGS, memory.now, seed).format(topic=subject)
    earlier = (
        f"\n\nThis is your message number {len(memory.asked) + 1} here." if memory.asked else ""
    )
    return (
        f"{opening}\n\n"
        f"- **What it is**: {subject}, seen from a model that runs on your own machine\n"
        "- **What helps**: start small, measure, then change one thing at a time\n"
        f"- **What next**: ask me for *steps*, *code* or a *table* about it{earlier}"
    )


def greet(memory: Memory, _found: re.Match[str], seed: int) -> str:
    """A greeting, by name where the user has given one."""
    name = f", {memory.name}" if memory.name else ""
    return choose(GREETINGS, memory.now, seed).format(name=name)


def meet(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """What one says to somebody who has just given their name."""
    return f"Nice to meet you, {memory.name}! I will remember your name."


def tell_name(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """The user's name, if they gave it."""
    if not memory.name:
        return "You have not told me your name yet. What is it?"
    return f"Your name is **{memory.name}**."


def tell_fact(memory: Memory, found: re.Match[str], seed: int) -> str:
    """What the user once said that something of theirs is."""
    subject = found[1].strip()
    if subject.lower() == "name":
        return tell_name(memory, found, seed)
    value = memory.fact(subject)
    return (
        f"Your {subject} is **{value}**, you said."
        if value
        else f"You have not told me your {subject}."
    )


def tell_first(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """The first thing the user said, as far as the model was shown it."""
    if not memory.asked:
        return "This is the first message that I was shown."
    return f"Your first message was:\n\n{samples.quote(memory.asked[0])}"


def tell_last(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """The user's previous message."""
    if not memory.asked:
        return "Nothing before this, as far as I was shown."
    return f"Just before this you said:\n\n{samples.quote(memory.asked[-1])}"


def tell_said(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """The model's own previous reply."""
    if not memory.said:
        return "I have not said anything yet."
    return f"My last reply was:\n\n{samples.quote(memory.said[-1])}"


def tell_all(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """All that the user said, numbered."""
    if not memory.asked:
        return "This is the first message that I was shown."
    lines = [f"{number}. {' '.join(text.split())}" for number, text in enumerate(memory.asked, 1)]
    return "So far you said:\n\n" + "\n".join(lines)


def tell_count(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """How many messages the model was shown."""
    return (
        f"I was shown **{len(memory.asked) + 1}** messages of yours, this one included, "
        f"and {len(memory.said)} of mine."
    )


def note(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """A promise to remember."""
    found = remembered.REMEMBER.search(memory.now)
    return f"I will remember: {found[1].strip(' .')}." if found else "I will remember that."


def tell_notes(memory: Memory, _found: re.Match[str], _seed: int) -> str:
    """What the user asked to have remembered."""
    notes = memory.noted()
    if not notes:
        return "You have not asked me to remember anything."
    return "You asked me to remember:\n\n" + "\n".join(f"- {text}" for text in notes)


def when(pattern: str) -> re.Pattern[str]:
    """`pattern`, compiled so that case does not matter."""
    return re.compile(pattern, re.IGNORECASE)


# The first that fits answers, so the particular stands before the general.
ANSWERS: tuple[tuple[re.Pattern[str], Answer], ...] = (
    (
        when(
            r"\b(?:what(?:'s| is| was| are)|do you (?:still )?(?:know|remember)) my "
            r"(?!first|last|previous)([a-z][a-z ]{1,40}?)\s*(?:\?|\W*(?:\[\[.*)?$)"
        ),
        tell_fact,
    ),
    (when(r"\bwho am i\b"), tell_name),
    (when(r"\b(?:my )?(?:very )?first (?:question|message|thing)\b"), tell_first),
    (
        when(r"\bwhat did you (?:say|answer|reply)|your (?:last|previous) (?:reply|answer)"),
        tell_said,
    ),
    (
        when(
            r"\b(?:everything|all) (?:that )?i(?: have)? (?:said|asked|told)\b|summar(?:y|i[sz]e)"
        ),
        tell_all,
    ),
    (
        when(r"\bwhat did i (?:just )?(?:say|ask|tell)|my (?:last|previous) (?:question|message)"),
        tell_last,
    ),
    (when(r"\bhow many (?:messages|questions|things)\b"), tell_count),
    (when(r"\bwhat .{0,40}\bremember\b|\bdo you remember\b"), tell_notes),
    (when(r"^\W*(?:please )?remember\b"), note),
    (remembered.NAME, meet),
    # Whoever greets and asks gets the answer.
    (
        when(r"^\W*(?:hi|hello|hey)\b\W{1,3}(?:what can you|who are you|what are you)\b"),
        samples.show_help,
    ),
    (when(r"^\W*(?:hi|hello|hey|good (?:morning|evening|day))\b.{0,30}$"), greet),
    *samples.ANSWERS,
)
