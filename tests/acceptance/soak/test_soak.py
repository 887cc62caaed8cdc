"""All of it at random, under load, with a fixed seed; then everything must be as if nothing was.

`make soak` takes ten minutes (`SECONDS`), `make test` has one of a minute, beside other tests and
so with fewer people. The order of the troubles
hangs on `SEED` alone; what they meet hangs on the machine as well.
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.acceptance.history import NO_ANSWER, OPEN
from tests.acceptance.soak.people import Stroller, Talker
from tests.acceptance.soak.place import Place
from tests.acceptance.soak.troubles import Fate

logger = logging.getLogger(__name__)

SECONDS = float(os.environ.get("SOAK_SECONDS") or 60)
SEED = int(os.environ.get("SOAK_SEED") or 1)
DRAINED_WITHIN = 60.0
"""Seconds from the last trouble and the last message until no turn is open."""
NEWLINE = "\n"
FULL = 600.0
"""Seconds of a soak from which on so much must have gone wrong:"""
KILLS, REDIS_RESTARTS = 20, 5
TALKERS, STROLLERS = (16, 2) if SECONDS >= FULL else (8, 1)
"""Of the latter a few are enough to tell a gap; each is cut off all the time."""


@pytest.mark.fault("F31")
@pytest.mark.timeout(SECONDS + 300)
def test_a_soak_in_all_troubles_at_random_loses_doubles_and_disorders_nothing(
    place: Place, told: Callable[[str], None]
) -> None:
    here = place
    fate = Fate(here, SEED)
    stopping = Event()
    talkers = [Talker(here, SEED + number, stopping) for number in range(TALKERS)]
    strollers = [Stroller(here, SEED + TALKERS + number, stopping) for number in range(STROLLERS)]
    until = time.monotonic() + SECONDS
    here.history.servers_were_killed = True
    with ThreadPoolExecutor(TALKERS + STROLLERS) as threads:
        work = [threads.submit(talker.talk) for talker in talkers]
        work += [threads.submit(stroller.stroll) for stroller in strollers]
        try:
            while time.monotonic() < until and not any(each.done() for each in work):
                fate.strike(logger.info)
        finally:
            stopping.set()
        ended = time.monotonic()
        for each in work:
            each.result()
    here.rest(within=DRAINED_WITHIN)
    drained = time.monotonic() - ended
    for stroller in strollers:
        stroller.check()
    here.audit()
    for line in report(here, fate, drained, sum(stroller.steps for stroller in strollers)):
        told(line)
    if SECONDS >= FULL:
        assert fate.kills >= KILLS
        assert fate.dealt["kill redis"] >= REDIS_RESTARTS


def report(here: Place, fate: Fate, drained: float, cuts: int) -> list[str]:
    """What happened, in words."""
    kept, history = here.kept(), here.history
    answers = Counter(answer.status for answer in history.answers)
    replies = [reply for session_id in kept.messages for reply in kept.replies(session_id).values()]
    statuses = Counter(reply["status"] for reply in replies)
    accepted = {(post.session_id, post.key) for post in history.posts if post.is_accepted}
    assert not OPEN & statuses.keys()
    troubles = [f"  {number:4} {name}" for name, number in sorted(fate.dealt.items())]
    ends = ", ".join(f"{number} {status}" for status, number in sorted(statuses.items()))
    deleted = len(accepted) - len(replies)
    attempts = sum(reply["attempt"] for reply in replies)
    events = sum(map(len, kept.events.values()))
    return f"""\
{SECONDS:.0f} s, seed {SEED}
troubles: {sum(fate.dealt.values())}, {fate.kills} kills, {fate.dealt["kill redis"]} Redis restarts
{NEWLINE.join(troubles)}
messages accepted: {len(accepted)}, {deleted} of them in sessions that were deleted
replies kept: {len(replies)}: {ends}; {attempts} attempts
model calls: {len(here.calls())}
answers: {sum(answers.values())}, {answers[503]} of them 503, {answers[NO_ANSWER]} cut off
followers were cut off {cuts} times
drained in {drained:.1f} s
audit of {len(kept.sessions)} sessions and {events} events: nothing lost, doubled or left over\
""".splitlines()
