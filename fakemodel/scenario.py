"""Selects the behaviour of each call: from the script, else the message, else the options."""

import random
from collections import OrderedDict
from dataclasses import replace

from fakemodel.behaviour import Behaviour, merge
from fakemodel.calls import Call
from fakemodel.directives import InvalidDirective, parse_message
from fakemodel.errors import bad_request
from fakemodel.options import Options
from fakemodel.script import Script

MAX_COUNTED = 10_000  # prompts whose `times` are counted; the oldest are dropped
ALL_CALLS = 0  # the key that counts the fault of the options


class Scenario:
    """The state that selects behaviours: the script, and how often each fault has happened."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.defaults = options.defaults
        self.script = Script()
        self.counts: OrderedDict[int, int] = OrderedDict()
        # Probabilities and jitter have to be repeatable, not unpredictable.
        self.random = random.Random(options.seed)  # noqa: S311

    def reset(self) -> None:
        """Drop the script and restart all counts and random numbers."""
        self.script.steps.clear()
        self.counts.clear()
        self.random.seed(self.options.seed)

    def select(self, call: Call) -> Behaviour:
        """Return the behaviour for `call`.

        Raises:
            APIError: 400, a directive in the message is invalid.
        """
        scripted = self.script.next_behaviour(call)
        if scripted is not None:
            return merge(self.defaults, self._apply_probability(scripted))
        requested = self._parse_message(call)
        if requested is not None and requested.fault is not None:
            # The same prompt again is a retry of the same turn.
            key = hash((call.model, call.messages))
            return merge(self.defaults, self._apply_times(requested, key))
        general = self._from_options()
        return general if requested is None else merge(general, requested)

    def _from_options(self) -> Behaviour:
        if self.options.fault.fault is None:
            return self.defaults
        return merge(self.defaults, self._apply_times(self.options.fault, ALL_CALLS))

    def _parse_message(self, call: Call) -> Behaviour | None:
        message = call.last_user_message
        if not self.options.directives or "[[" not in message:
            return None
        try:
            return parse_message(message)
        except InvalidDirective as error:
            raise bad_request(f"A directive in the message is invalid: {error}") from error

    def _apply_times(self, behaviour: Behaviour, key: int) -> Behaviour:
        """Return `behaviour`; without its fault once that affected `times` calls under `key`."""
        behaviour = self._apply_probability(behaviour)
        if behaviour.times is None or behaviour.fault is None:
            return behaviour
        count = self.counts.pop(key, 0)
        self.counts[key] = count + 1
        if len(self.counts) > MAX_COUNTED:
            self.counts.popitem(last=False)
        return _without_fault(behaviour) if count >= behaviour.times else behaviour

    def _apply_probability(self, behaviour: Behaviour) -> Behaviour:
        if behaviour.probability is None or self.random.random() < behaviour.probability:
            return behaviour
        return _without_fault(behaviour)


def _without_fault(behaviour: Behaviour) -> Behaviour:
    """Return `behaviour` with its speed and length, but without its fault."""
    return replace(behaviour, fault=None)
