"""Random faults under load; afterwards all invariants must hold.

`make soak` takes ten minutes (`SECONDS`). `make test-all` runs one minute with fewer users,
because other tests run at the same time. The order of the faults depends on `SEED` only; their
effects also depend on timing.
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.acceptance.history import NO_RESPONSE, OPEN_STATUSES
from tests.acceptance.soak.deployment import SoakDeployment
from tests.acceptance.soak.faults import FaultInjector
from tests.acceptance.soak.users import ChatUser, SubscribingUser

logger = logging.getLogger(__name__)

SECONDS = float(os.environ.get("SOAK_SECONDS") or 60)
SEED = int(os.environ.get("SOAK_SEED") or 1)
# Seconds from the last fault and the last message until no turn is open.
DRAIN_TIMEOUT = 60.0
NEWLINE = "\n"
# A soak of at least this many seconds must include a minimum of faults.
FULL_SOAK_SECONDS = 600.0
MIN_KILLS, MIN_REDIS_RESTARTS = 20, 5
# A few subscribers are enough to detect a gap, because they are disconnected all the time.
USERS, SUBSCRIBERS = (16, 2) if SECONDS >= FULL_SOAK_SECONDS else (8, 1)


@pytest.mark.thorough
@pytest.mark.fault("F31")
@pytest.mark.timeout(SECONDS + 300)
def test_random_faults_lose_and_duplicate_nothing(
    soak_deployment: SoakDeployment, report: Callable[[str], None]
) -> None:
    deployment = soak_deployment
    injector = FaultInjector(deployment, SEED)
    stopping = Event()
    users = [ChatUser(deployment, SEED + number, stopping) for number in range(USERS)]
    subscribers = [
        SubscribingUser(deployment, SEED + USERS + number, stopping)
        for number in range(SUBSCRIBERS)
    ]
    end = time.monotonic() + SECONDS
    deployment.history.servers_were_killed = True
    with ThreadPoolExecutor(USERS + SUBSCRIBERS) as threads:
        futures = [threads.submit(user.run) for user in users]
        futures += [threads.submit(subscriber.run) for subscriber in subscribers]
        try:
            while time.monotonic() < end and not any(future.done() for future in futures):
                injector.inject(logger.info)
        finally:
            stopping.set()
        stopped_at = time.monotonic()
        for future in futures:
            future.result()
    deployment.wait_until_idle(within=DRAIN_TIMEOUT)
    drain_seconds = time.monotonic() - stopped_at
    for subscriber in subscribers:
        subscriber.check()
    deployment.audit()
    disconnects = sum(subscriber.disconnects for subscriber in subscribers)
    for line in summary(deployment, injector, drain_seconds, disconnects):
        report(line)
    if SECONDS >= FULL_SOAK_SECONDS:
        assert injector.kills >= MIN_KILLS
        assert injector.counts["kill redis"] >= MIN_REDIS_RESTARTS


def summary(
    deployment: SoakDeployment, injector: FaultInjector, drain_seconds: float, disconnects: int
) -> list[str]:
    """Return the lines to print after the soak."""
    state, history = deployment.redis_state(), deployment.history
    responses = Counter(response.status for response in history.responses)
    replies = [
        reply for session_id in state.messages for reply in state.replies(session_id).values()
    ]
    statuses = Counter(reply["status"] for reply in replies)
    errors = Counter(reply["error"]["code"] for reply in replies if reply["error"])
    accepted = {(post.session_id, post.key) for post in history.posts if post.is_accepted}
    assert not OPEN_STATUSES & statuses.keys()
    kills, redis_kills = injector.kills, injector.counts["kill redis"]
    faults = [f"  {number:4} {name}" for name, number in sorted(injector.counts.items())]
    outcomes, codes = (
        ", ".join(f"{number} {name}" for name, number in sorted(counter.items()))
        for counter in (statuses, errors)
    )
    deleted = len(accepted) - len(replies)
    attempts = sum(reply["attempt"] for reply in replies)
    events = sum(map(len, state.events.values()))
    return f"""\
{SECONDS:.0f} s, seed {SEED}
faults: {sum(injector.counts.values())}, {kills} kills, {redis_kills} of Redis
{NEWLINE.join(faults)}
messages accepted: {len(accepted)}, {deleted} of them in deleted sessions
replies stored: {len(replies)}: {outcomes}; {attempts} attempts
errors of replies: {codes or "none"}
model calls: {len(deployment.calls())}
responses: {sum(responses.values())}, {responses[503]} of them 503, {responses[NO_RESPONSE]} lost
subscribers were disconnected {disconnects} times
drained in {drain_seconds:.1f} s
audit of {len(state.sessions)} sessions and {events} events: nothing lost, duplicated or left over\
""".splitlines()
