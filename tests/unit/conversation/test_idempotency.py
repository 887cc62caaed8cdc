"""Digests that tell a repeated request from another one."""

from dataclasses import dataclass

from chat.conversation.idempotency import digest
from chat.domain import OnBusy, Options


@dataclass(frozen=True)
class LaterOptions:
    """The options of a later version, which has one more."""

    max_tokens: int | None = None
    temperature: float | None = None
    reasoning: str = "default"


def test_new_field_does_not_change_the_digest_of_old_requests() -> None:
    assert digest("submit", Options()) == digest("submit", LaterOptions())
    assert digest(Options(temperature=0.5)) == digest(LaterOptions(temperature=0.5))
    assert digest(Options()) != digest(LaterOptions(reasoning="high"))


def test_any_other_value_changes_the_digest() -> None:
    requests = [
        ("submit", "hello", OnBusy.ENQUEUE, None, None),
        ("submit", "hello", OnBusy.REJECT, None, None),
        ("submit", "hello!", OnBusy.ENQUEUE, None, None),
        ("submit", "hello", OnBusy.ENQUEUE, Options(seed=1), None),
        ("submit", "hello", OnBusy.ENQUEUE, Options(stop=("a",)), None),
        ("submit", "hello", OnBusy.ENQUEUE, None, 5.0),
    ]
    assert len({digest(*each) for each in requests}) == len(requests)


def test_order_of_fields_does_not_matter() -> None:
    assert digest({"name": b"a", "model": b"b"}) == digest({"model": b"b", "name": b"a"})
