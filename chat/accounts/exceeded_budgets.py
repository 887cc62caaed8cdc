"""The exceeded budgets, as a web process knows them: it asks Redis once a second.

Requests take no round trip for this. Turns that are accepted in the second after a budget was
exceeded fail when a worker tries to call the model.
"""

import logging
import time
from collections.abc import Iterable
from threading import Thread

from chat.accounts import budgets
from chat.domain.budgets import ExceededBudget
from chat.domain.errors import StoreUnavailable
from chat.store import budgets as store

logger = logging.getLogger(__name__)

# Seconds between two refreshes.
REFRESH_INTERVAL = 1.0


class ExceededBudgets:
    """A copy of the exceeded budgets. While it is in use, a thread refreshes it once a second."""

    def __init__(self) -> None:
        self._lines = ""
        # `time.monotonic()`; 0 before the first use.
        self._refresh_at = 0.0

    def lines(self) -> str:
        """Return the exceeded budgets as scripts take them; "" if there are none.

        Only the first call waits for Redis.
        """
        if budgets.rules() and (now := time.monotonic()) >= self._refresh_at:
            is_first = not self._refresh_at
            self._refresh_at = now + REFRESH_INTERVAL
            if is_first:
                self._refresh()
            else:
                Thread(target=self._refresh, name="exceeded budgets", daemon=True).start()
        return self._lines

    def _refresh(self) -> None:
        """Ask Redis; keep what is known if it does not answer."""
        try:
            budgets.refresh_key_limits()
            self._lines = lines_of(store.exceeded())
        except StoreUnavailable as error:
            logger.warning("Could not read the exceeded budgets: %s", error.__cause__)


def lines_of(exceeded: Iterable[ExceededBudget]) -> str:
    """Return the lines of budgets whose limits are still configured."""
    return "\n".join(each.line for each in exceeded if budgets.is_configured(each.budget))


# The copy of this process.
exceeded_budgets = ExceededBudgets()
