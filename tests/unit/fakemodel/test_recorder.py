import pytest

from fakemodel.formats.chat import CHAT
from fakemodel.recorder import MAX_BYTES, MAX_CALLS, Recorder


@pytest.mark.parametrize(
    ("calls", "body", "first"),
    [(6, b"x" * (MAX_BYTES // 4), 3), (MAX_CALLS + 5, b"{}", 6)],
    ids=["bytes", "calls"],
)
def test_the_oldest_calls_are_dropped_above_a_limit(calls: int, body: bytes, first: int) -> None:
    recorder = Recorder(stores_calls=True)

    for _ in range(calls):
        recorder.start(CHAT, path="/", body=body)

    assert [record.number for record in recorder.calls] == [*range(first, calls + 1)]
    assert recorder.stored_bytes == len(body) * len(recorder.calls)
