"""Any text is stored and streamed exactly."""

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from chat.domain import Caller, Delta, TurnError, Usage, UsageSource
from chat.store import leases, sessions, snapshots
from tests.integration.store import steps
from tests.integration.store.steps import LeaseHolder

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
AWKWARD = [
    *('quotes " and \\ and /', "NUL \0 and \x1f and \x7f", "lines\r\n\u2028\u2029\u0085"),
    *("\U0001f468\u200d\U0001f469\u200d\U0001f467 \u202eRTL", '"}],"status":"failed', "%d %s %%1"),
    *('"wait":{"position":7}}', '","id":"msg_1","reply_to":"msg_1"', "\ufeff\ufffe\uffff", ""),
    "\x01" * 32 * 1024,
]


@pytest.mark.parametrize("text", AWKWARD, ids=range(len(AWKWARD)))
def test_any_text_is_stored_and_streamed_unchanged(text: str) -> None:
    caller = steps.create_session()
    steps.submit(caller, text)
    writer = LeaseHolder.claim_for(caller)
    writer.append(text)
    assert steps.find_message(caller, "msg_2")["content"] == text
    writer.finish(text)
    assert [message["content"] for message in steps.messages(caller)] == [text, text * 2]
    deltas = [event["delta"] for event in steps.events(caller) if event["type"] == "message.delta"]
    assert "".join(deltas) == text * 2
    steps.submit(caller)
    claimed = steps.claim(caller)
    assert claimed is not None
    assert [message.content for message in claimed.history] == [text, text * 2, "hello"]


def test_last_delta_is_an_event(caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    writer.append("first ")
    writer.finish("last")
    deltas = [event["delta"] for event in steps.events(caller) if event["type"] == "message.delta"]
    assert deltas == ["first ", "last"]


@examples(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(TEXTS, max_size=5))
def test_any_deltas_are_joined_to_the_reply(deltas: list[str]) -> None:
    caller = steps.create_session()
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    for delta in deltas:
        writer.append(delta)
    writer.finish()
    assert steps.find_message(caller, "msg_2")["content"] == "".join(deltas)


@pytest.mark.parametrize("text", AWKWARD[:-1])
def test_any_text_is_allowed_in_errors_and_model_names(text: str) -> None:
    caller = steps.create_session()
    steps.submit(caller, text)
    claimed = steps.claim(caller)
    assert claimed is not None
    problem = TurnError(code="model_error", message=text)
    leases.retry(claimed.lease, steps.retry(model=text, error=problem))
    waiting = steps.find_message(caller, "msg_2")
    assert (waiting["model"], waiting["error"]["message"]) == (text, text)
    assert waiting["wait"]["position"] == 0
    LeaseHolder.claim_for(caller).finish("fine")
    assert steps.find_message(caller, "msg_2")["content"] == "fine"


def test_any_text_is_allowed_in_name_and_metadata() -> None:
    caller = steps.create_session()
    fields = {"name": orjson.dumps(AWKWARD[0]), "metadata": orjson.dumps({"a": AWKWARD})}
    sessions.update(caller, b"{}", fields, None)
    snapshot = snapshots.read(caller)
    assert (snapshot.name, snapshot.metadata) == (fields["name"], fields["metadata"])


def test_token_counts_above_2_to_the_53_are_exact() -> None:
    """Lua in Redis has only doubles, which are exact up to 2 ** 53."""
    caller = steps.create_session()
    usage = Usage(prompt_tokens=2**53 + 1, completion_tokens=2**60 + 1, source=UsageSource.PROVIDER)
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    leases.finish(writer.lease, steps.outcome(usage=usage), Delta(offset=0, escaped=b""))
    stored_usage = steps.find_message(caller, "msg_2")["usage"]
    assert stored_usage["prompt_tokens"] == 2**53 + 1
    assert stored_usage["total_tokens"] == 2**53 + 2**60 + 2
