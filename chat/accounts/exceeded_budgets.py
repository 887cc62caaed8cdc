"""The exceeded budgets, as a web process knows them: one request in a second asks Redis.

Turns that are accepted in the second after a budget was exceeded fail when a worker tries to call
the model.
"""

import logging
import time
from collections.abc import Iterable

from chat.accounts import budgets
from chat.domain.budgets import ExceededBudget
from chat.domain.errors import StoreUnavailable
from chat.store import budgets as store
from chat.store.calls import Steps

logger = logging.getLogger(__name__)

# Seconds between two refreshes.
REFRESH_INTERVAL = 1.0


class ExceededBudgets:
    """A copy of the exceeded budgets."""

    def __init__(self) -> None:
        self._lines = ""
        # `time.monotonic()`; 0 before the first use.
        self._refresh_at = 0.0

    def lines(self) -> Steps[str]:
        """Return the exceeded budgets as scripts take them; "" if there are none.

        One round trip for each of two keys in a second, at most.
        """
        if budgets.rules() and (now := time.monotonic()) >= self._refresh_at:
            self._refresh_at = now + REFRESH_INTERVAL  # other requests do not wait for this one
            yield from self._refresh()
        return self._lines

    def _refresh(self) -> Steps[None]:
        """Ask Redis; keep what is known if it does not answer."""
        try:
            key_limits = yield from store.key_limits.steps()
            budgets.remember_key_limits(key_limits)
            exceeded = yield from store.exceeded.steps()
            self._lines = lines_of(exceeded)
        except StoreUnavailable as error:
            logger.warning("Could not read the exceeded budgets: %s", error.__cause__)


def lines_of(exceeded: Iterable[ExceededBudget]) -> str:
    """Return the lines of budgets whose limits are still configured."""
    return "\n".join(each.line for each in exceeded if budgets.is_configured(each.budget))


# The copy of this process.
exceeded_budgets = ExceededBudgets()
