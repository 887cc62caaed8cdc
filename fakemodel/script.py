"""The script: steps that the next calls follow, written by a test beforehand."""

from dataclasses import dataclass, field, replace
from typing import Any

from fakemodel.behaviour import Behaviour
from fakemodel.calls import Call, text_field
from fakemodel.directives import BadBehaviour, parse_fields
from fakemodel.errors import malformed

MOST_STEPS = 10_000


@dataclass(slots=True, kw_only=True)
class Step:
    """How the next call that fits is answered."""

    behaviour: Behaviour
    asked: dict[str, Any]
    """The step as the test wrote it."""
    match: str
    """Part of the last user message of the calls that fit; empty fits all."""
    model: str
    """The model of the calls that fit; empty fits all."""
    left: int
    """Calls that the step is still good for; 0 means without end."""

    def fits(self, call: Call) -> bool:
        """Whether `call` is one that the step is for."""
        return self.match in call.asked and self.model in {"", call.model}


@dataclass(slots=True)
class Script:
    """The steps that wait, in order."""

    steps: list[Step] = field(default_factory=list)

    def take(self, call: Call) -> Behaviour | None:
        """The behaviour of the first step that fits `call`, which is used up by it, or None."""
        for place, step in enumerate(self.steps):
            if step.fits(call):
                if step.left == 1:
                    del self.steps[place]
                step.left = max(step.left - 1, 0)
                return step.behaviour
        return None

    def extend(self, fields: dict[str, Any]) -> None:
        """Add the `steps` in a body, all or none; raises Refused (400)."""
        steps = fields.get("steps")
        if not isinstance(steps, list) or len(self.steps) + len(steps) > MOST_STEPS:
            raise malformed(f"'steps' must be a list; {MOST_STEPS} may wait at most.", "steps")
        self.steps += [parse_step(step) for step in steps]

    def waiting(self) -> list[dict[str, Any]]:
        """The steps still to come, as they were written, each with `left`."""
        return [step.asked | {"left": step.left} for step in self.steps]


def parse_step(asked: Any) -> Step:
    """One step; raises Refused (400)."""
    if not isinstance(asked, dict):
        raise malformed("Each step must be an object.", "steps")
    words = dict(asked)
    match, model = words.pop("match", ""), words.pop("model", "")
    # A step serves one call unless it says otherwise; the count is the step's, not the fault's.
    left = words.pop("times", 1)
    reply = text_field(words, "reply") if "reply" in words else None
    words.pop("reply", None)
    if not isinstance(match, str) or not isinstance(model, str):
        raise malformed("'match' and 'model' must be strings.", "steps")
    if type(left) is not int or left < 0:
        raise malformed("'times' must be an integer from 0.", "steps")
    return Step(
        behaviour=parse_behaviour(words, reply), asked=asked, match=match, model=model, left=left
    )


def parse_behaviour(words: dict[str, Any], reply: str | None) -> Behaviour:
    """The behaviour of a step; raises Refused (400)."""
    try:
        return replace(parse_fields(words), reply=reply)
    except BadBehaviour as error:
        raise malformed(str(error), "steps") from error
