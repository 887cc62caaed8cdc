from fakemodel.formats.chat import CHAT
from fakemodel.recorder import MAX_BYTES, MAX_CALLS, CallRecord, Recorder


def start(recorder: Recorder, body: bytes = b"{}") -> CallRecord:
    return recorder.start(CHAT, path="/", body=body)


def test_without_storing_calls_are_only_counted() -> None:
    recorder = Recorder(stores_calls=False)

    records = [start(recorder) for _ in range(3)]
    recorder.finish(records[0])

    assert (recorder.total, recorder.in_flight, recorder.max_in_flight) == (3, 2, 3)
    assert not recorder.calls


def test_the_oldest_calls_are_dropped_above_the_byte_limit() -> None:
    recorder = Recorder(stores_calls=True)

    for _ in range(6):
        start(recorder, b"x" * (MAX_BYTES // 4))

    assert [record.number for record in recorder.calls] == [3, 4, 5, 6]
    assert recorder.stored_bytes == MAX_BYTES


def test_the_oldest_calls_are_dropped_above_the_call_limit() -> None:
    recorder = Recorder(stores_calls=True)

    for _ in range(MAX_CALLS + 5):
        start(recorder)

    assert len(recorder.calls) == MAX_CALLS
    assert recorder.calls[0].number == 6


def test_a_reset_keeps_the_number_of_calls_in_flight() -> None:
    recorder = Recorder(stores_calls=True)
    record = start(recorder)

    recorder.reset()
    recorder.finish(record)

    assert (recorder.total, recorder.in_flight, len(recorder.calls)) == (0, 0, 0)
