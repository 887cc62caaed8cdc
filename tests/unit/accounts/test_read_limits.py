"""The rate limiters of a web process."""

import pytest

from chat.accounts.read_limits import MAX_LIMITERS, ReadLimit
from chat.domain.errors import RateLimited


@pytest.mark.security("S66")
def test_clients_cannot_fill_memory_with_limiters() -> None:
    limit = ReadLimit(lambda: 60)
    for number in range(2 * MAX_LIMITERS + 1):
        limit.charge(f"client {number}", 100)
    assert len(limit) <= MAX_LIMITERS
    with pytest.raises(RateLimited):
        limit.check_only(f"client {2 * MAX_LIMITERS}")
