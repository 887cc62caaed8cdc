"""A session that floods the queue: workers serve sessions in turn."""

from collections.abc import Callable

import pytest

from tests.acceptance.deployment import Deployment

# Occupies the only slot for 0.2 s.
TURN = "[[tokens=6 rate=30]]"


@pytest.mark.thorough
def test_flooding_session_delays_others_by_one_turn_each(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(worker_concurrency=1).start()
    flooder, *others = deployment.clients(5)
    first = flooder.post("Hold the worker until all have come [[tokens=2000 rate=10]]")
    flooder.wait_for_text(first)
    flood = [first, *(flooder.post(f"Hello {TURN}") for _ in range(20))]
    patient = [(client, client.post(f"Hello {TURN}")) for client in others]
    patient += [(client, client.post(f"And then? {TURN}")) for client in others]
    flooder.cancel(first)
    for client, post in patient:
        client.wait_for_reply(post, "completed", within=60)

    flooded = {post.content for post in flood}
    order = [call["last_user_message"] in flooded for call in deployment.calls()]
    last = max(place for place, is_flood in enumerate(order) if not is_flood)
    until_all_were_served = order[: last + 1]
    # Two rounds of the others, and one turn of the flood per round; its first turn was earlier.
    assert until_all_were_served.count(False) == 8
    assert until_all_were_served.count(True) <= 1 + 2 + 1
    assert flooder.messages()[-1]["status"] == "queued"
    # Newest first: a turn that ran after cancelled ones would get a shorter context.
    for post in reversed(flood):
        flooder.cancel(post)
