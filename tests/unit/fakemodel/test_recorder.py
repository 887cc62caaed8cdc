"""The record and its bounds."""

from fakemodel import recorder as module
from fakemodel.recorder import Record


def test_without_keeping_only_counters_grow() -> None:
    record = Record(keeps=False)

    entries = [record.open(format_name="chat", path="/", body=b"{}") for _ in range(3)]
    record.close(entries[0])

    assert (record.total, record.in_flight, record.most_in_flight) == (3, 2, 3)
    assert not record.calls


def test_the_oldest_calls_are_forgotten_beyond_the_bound_of_bytes() -> None:
    record = Record(keeps=True)
    body = b"x" * (module.MOST_BYTES // 4)

    for _ in range(6):
        record.open(format_name="chat", path="/", body=body)

    assert [entry.number for entry in record.calls] == [3, 4, 5, 6]
    assert record.kept_bytes == module.MOST_BYTES


def test_the_oldest_calls_are_forgotten_beyond_the_bound_of_calls() -> None:
    record = Record(keeps=True)

    for _ in range(module.MOST_CALLS + 5):
        record.open(format_name="chat", path="/", body=b"{}")

    assert len(record.calls) == module.MOST_CALLS
    assert record.calls[0].number == 6


def test_a_reset_keeps_count_of_what_is_in_flight() -> None:
    record = Record(keeps=True)
    entry = record.open(format_name="chat", path="/", body=b"{}")

    record.reset()
    record.close(entry)

    assert (record.total, record.in_flight, len(record.calls)) == (0, 0, 0)
