"""Which behaviour a call gets: what the script says, else its message, else the options."""

import random
from collections import OrderedDict
from dataclasses import replace

from fakemodel.behaviour import Behaviour, merge
from fakemodel.calls import Call
from fakemodel.directives import BadBehaviour, parse_markers
from fakemodel.errors import malformed
from fakemodel.options import Options
from fakemodel.script import Script

MOST_COUNTED = 10_000  # prompts whose `times` are counted; the oldest are forgotten
ALL_CALLS = 0  # under which the fault of the options is counted


class Plan:
    """Decides for each call how it is answered."""

    def __init__(self, options: Options) -> None:
        """Begin with nothing counted and an empty script."""
        self.options = options
        self.manner = options.manner
        self.script = Script()
        self.counted: OrderedDict[int, int] = OrderedDict()
        # Chances and jitter are to be repeatable, not unpredictable.
        self.random = random.Random(options.seed)  # noqa: S311

    def reset(self) -> None:
        """Drop the script and begin all counts and chances anew."""
        self.script.steps.clear()
        self.counted.clear()
        self.random.seed(self.options.seed)

    def choose(self, call: Call) -> Behaviour:
        """The behaviour for `call`; raises Refused (400) on a marker that cannot be read."""
        scripted = self.script.take(call)
        if scripted is not None:
            return merge(self.manner, self.by_chance(scripted))
        asked = self.read_markers(call)
        if asked is not None and asked.fault is not None:
            # The same prompt again is a retry of the same turn.
            return merge(self.manner, self.by_count(asked, hash((call.model, call.messages))))
        general = self.general()
        return general if asked is None else merge(general, asked)

    def general(self) -> Behaviour:
        """What the options say for every call."""
        if self.options.fault.fault is None:
            return self.manner
        return merge(self.manner, self.by_count(self.options.fault, ALL_CALLS))

    def read_markers(self, call: Call) -> Behaviour | None:
        """What the last user message asks for; raises Refused (400)."""
        if not self.options.markers or "[[" not in (asked := call.asked):
            return None
        try:
            return parse_markers(asked)
        except BadBehaviour as error:
            raise malformed(f"A marker in the message cannot be read: {error}") from error

    def by_count(self, asked: Behaviour, key: int) -> Behaviour:
        """`asked`, without its fault once it has hit `times` calls counted under `key`."""
        asked = self.by_chance(asked)
        if asked.times is None or asked.fault is None:
            return asked
        hits = self.counted.pop(key, 0)
        self.counted[key] = hits + 1
        if len(self.counted) > MOST_COUNTED:
            self.counted.popitem(last=False)
        return well(asked) if hits >= asked.times else asked

    def by_chance(self, asked: Behaviour) -> Behaviour:
        """`asked`, without its fault where chance spares the call."""
        if asked.chance is None or self.random.random() < asked.chance:
            return asked
        return well(asked)


def well(asked: Behaviour) -> Behaviour:
    """`asked` without its fault; pace, length and the rest stay."""
    return replace(asked, fault=None)
