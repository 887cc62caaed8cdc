import orjson

from chat.domain import EventBatch, Gap, Snapshot
from chat.realtime import event_stream
from chat.realtime.event_json import serialize_events

EVENT = b'{"type":"message.delta","seq":7,"session_id":"ses_1","created_at":1.5,"delta":"\\n"}'
SNAPSHOT = Snapshot(
    id="ses_1",
    now=2.5,
    seq=9,
    is_running=False,
    queued_turns=0,
    created_at=1,
    last_active_at=1,
    expires_at=1,
    has_more=False,
    name=b'"A \\"name\\""',
    model=b'"default"',
    system_prompt=b"null",
    context=b"{}",
    metadata=b"{}",
    webhook_url=b"null",
    messages=[b'{"id":"msg_1"}'],
)


def test_stored_events_are_unchanged() -> None:
    batch = EventBatch(first_seq=7, latest_seq=8, events=[EVENT, EVENT], size=1)
    assert list(serialize_events(batch)) == [(7, EVENT), (8, EVENT)]


def test_gap_is_followed_by_a_snapshot() -> None:
    gap, snapshot = serialize_events(Gap(requested=3, earliest=6, snapshot=SNAPSHOT))
    assert gap[0] == 3, "a client with only the gap must get it again"
    assert orjson.loads(gap[1]) == {
        "type": "gap",
        "session_id": "ses_1",
        "created_at": 2.5,
        "requested": 3,
        "earliest": 6,
        "latest": 9,
    }
    body = orjson.loads(snapshot[1])
    assert (snapshot[0], body["type"], body["seq"], body["name"]) == (
        9,
        "snapshot",
        9,
        'A "name"',
    )
    assert body["messages"] == [{"id": "msg_1"}]


def test_event_is_one_data_line() -> None:
    assert (
        event_stream.format_event(7, EVENT)
        == b"id: 7\nevent: message.delta\ndata: " + EVENT + b"\n\n"
    )
