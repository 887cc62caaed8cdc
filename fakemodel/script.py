"""The script: steps that a test sends to set the responses to the next calls."""

from dataclasses import dataclass, field, replace
from typing import Any

from fakemodel.behaviour import Behaviour
from fakemodel.calls import Call, text_field
from fakemodel.directives import InvalidDirective, parse_fields
from fakemodel.errors import bad_request

MAX_STEPS = 10_000


@dataclass(slots=True, kw_only=True)
class Step:
    """The behaviour of the next calls that match."""

    behaviour: Behaviour
    # The step as the test sent it.
    source: dict[str, Any]
    # Text that the last user message must contain; empty matches all calls.
    match: str
    # The model that the call must name; empty matches all calls.
    model: str
    # Calls that the step still applies to; 0 means unlimited.
    remaining: int

    def matches(self, call: Call) -> bool:
        """Whether the step applies to `call`."""
        return self.match in call.last_user_message and self.model in {"", call.model}


@dataclass(slots=True)
class Script:
    """The pending steps, in order."""

    steps: list[Step] = field(default_factory=list)

    def next_behaviour(self, call: Call) -> Behaviour | None:
        """Return the behaviour of the first step that matches `call`, and use the step up."""
        for index, step in enumerate(self.steps):
            if step.matches(call):
                if step.remaining == 1:
                    del self.steps[index]
                step.remaining = max(step.remaining - 1, 0)
                return step.behaviour
        return None

    def add(self, fields: dict[str, Any]) -> None:
        """Add the `steps` of a request body, all or none.

        Raises:
            APIError: 400, a step is invalid or there are too many.
        """
        steps = fields.get("steps")
        if not isinstance(steps, list) or len(self.steps) + len(steps) > MAX_STEPS:
            raise bad_request(f"'steps' must be a list; at most {MAX_STEPS} are stored.", "steps")
        self.steps += [_parse_step(step) for step in steps]

    def pending(self) -> list[dict[str, Any]]:
        """Return the steps as the test sent them, each with `remaining`."""
        return [step.source | {"remaining": step.remaining} for step in self.steps]


def _parse_step(source: Any) -> Step:
    if not isinstance(source, dict):
        raise bad_request("Each step must be an object.", "steps")
    values = dict(source)
    match, model = values.pop("match", ""), values.pop("model", "")
    # In a script `times` counts the calls of the step, not those of the fault.
    remaining = values.pop("times", 1)
    reply = text_field(values, "reply") if "reply" in values else None
    values.pop("reply", None)
    if not isinstance(match, str) or not isinstance(model, str):
        raise bad_request("'match' and 'model' must be strings.", "steps")
    if type(remaining) is not int or remaining < 0:
        raise bad_request("'times' must be a non-negative integer.", "steps")
    behaviour = _parse_behaviour(values, reply)
    return Step(behaviour=behaviour, source=source, match=match, model=model, remaining=remaining)


def _parse_behaviour(values: dict[str, Any], reply: str | None) -> Behaviour:
    try:
        return replace(parse_fields(values), reply=reply)
    except InvalidDirective as error:
        raise bad_request(str(error), "steps") from error
