"""Fair shares of the delivery slots: by receiver, network, and whether a receiver answers."""

from dataclasses import dataclass

import pytest
from pytest_django import Settings

from chat.domain import DueDelivery
from chat.webhooks.receivers import (
    MAX_PENDING,
    MAX_RECEIVERS,
    Receivers,
    backoff_seconds,
    host_of,
    networks_of,
)

pytestmark = pytest.mark.security("S52")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def due(host: str | None, number: int = 2, *, owner: str = "") -> DueDelivery:
    """Return a delivery; without `owner`, each receiver has deliveries of a different one."""
    url = host and f"http://{host}/hook"
    owner = owner or str(host)
    return DueDelivery(session_id="ses_1", number=number, url=url, webhook=b"", owner=owner)


def add(receivers: Receivers, host: str | None, count: int) -> None:
    for number in range(count):
        receivers.add(due(host, number))


def start_all(receivers: Receivers) -> list[DueDelivery]:
    return list(iter(receivers.start_next, None))


def prove(receivers: Receivers, host: str) -> None:
    add(receivers, host, 1)
    (started,) = start_all(receivers)
    receivers.finish(started, has_answered=True, has_hung=False)


def time_out(receivers: Receivers, started: DueDelivery) -> tuple[float, list[DueDelivery]]:
    return receivers.finish(started, has_answered=False, has_hung=True)


def test_owner_gets_four_slots_for_all_receivers() -> None:
    receivers = Receivers()
    for number in range(20):
        receivers.add(due(f"{number}.example", owner="many"))
    receivers.add(due("0.example", 4, owner="other"))
    started = start_all(receivers)
    assert [each.owner for each in started].count("many") == 4
    assert [each.owner for each in started].count("other") == 1
    receivers.finish(started[0], has_answered=True, has_hung=False)
    assert [each.owner for each in start_all(receivers)] == ["many"]


def test_receiver_gets_four_slots() -> None:
    receivers = Receivers()
    add(receivers, "a.example", 50)
    assert len(start_all(receivers)) == 4
    add(receivers, "A.example:8080", 1)
    assert start_all(receivers) == []
    add(receivers, "b.example", 50)
    assert len(start_all(receivers)) == 4
    assert receivers.pending == 50 - 4 + 1 + 50 - 4


def test_receiver_gets_at_most_an_eighth_of_the_slots(settings: Settings) -> None:
    settings.CHAT_WEBHOOK_CONCURRENCY = 16
    receivers = Receivers()
    add(receivers, "a.example", 50)
    assert len(start_all(receivers)) == 2


def test_receivers_take_turns(settings: Settings) -> None:
    settings.CHAT_WEBHOOK_CONCURRENCY = 16
    receivers = Receivers()
    for host in ("a", "b"):
        add(receivers, host, 2)
    urls = [started.url for started in start_all(receivers)]
    assert urls == ["http://a/hook", "http://b/hook", "http://a/hook", "http://b/hook"]


def test_receivers_that_never_answered_get_half_of_the_slots() -> None:
    receivers = Receivers()
    prove(receivers, "healthy.example")
    for n in range(100):
        add(receivers, f"{n}.evil.example", 4)
    assert len(start_all(receivers)) == 16
    add(receivers, "healthy.example", 4)
    assert len(start_all(receivers)) == 4


def test_receiver_of_the_settings_gets_half_of_the_slots() -> None:
    receivers = Receivers()
    add(receivers, None, 50)
    started = start_all(receivers)
    assert len(started) == 16
    assert time_out(receivers, started[0]) == (0, [])
    assert len(start_all(receivers)) == 1


def test_receiver_that_times_out_is_skipped_for_longer_and_longer() -> None:
    clock = Clock()
    receivers = Receivers(clock)
    add(receivers, "a.example", 6)
    running = start_all(receivers)
    seconds, skipped = time_out(receivers, running.pop())
    assert (seconds, len(skipped), receivers.pending) == (5, 2, 0)
    for started in running:  # they began before
        assert time_out(receivers, started) == (0, [])
    for backoff in (5, 10, 20):
        assert receivers.add(due("a.example")) == backoff
        clock.now += backoff
        add(receivers, "a.example", 5)
        (trial,) = start_all(receivers)
        assert time_out(receivers, trial)[0] == 2 * backoff


def test_response_ends_the_backoff() -> None:
    clock = Clock()
    receivers = Receivers(clock)
    add(receivers, "a.example", 1)
    time_out(receivers, start_all(receivers)[0])
    clock.now += 5
    add(receivers, "a.example", 5)
    (trial,) = start_all(receivers)
    receivers.finish(trial, has_answered=True, has_hung=False)
    assert len(start_all(receivers)) == 4


def test_backoff_lasts_an_hour_at_most() -> None:
    assert [backoff_seconds(n) for n in (1, 2, 3, 10, 11, 1000)] == [5, 10, 20, 2560, 3600, 3600]


def test_network_gets_as_many_slots_as_a_receiver() -> None:
    receivers = Receivers()
    networks = networks_of(["192.0.2.7", "192.0.2.9", "2001:db8:1:2::1"])
    assert networks == {"192.0.2.0/24", "2001:db8:1::/48"}
    assert [receivers.begin_call(networks) for _ in range(5)] == [True] * 4 + [False]
    assert not receivers.begin_call(networks_of(["192.0.2.255"]))
    assert receivers.begin_call(networks_of(["192.0.3.1"]))
    receivers.end_call(networks)
    assert receivers.begin_call(networks_of(["192.0.2.255"]))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.org/x", ("example.org", 443)),
        ("http://example.org:81/", ("example.org", 81)),
        ("http://[::1]/", ("::1", 80)),
        ("http://[", ("", 0)),
        ("x", ("", 80)),
    ],
)
def test_host_of_a_url(url: str, host: tuple[str, int]) -> None:
    assert host_of(url) == host


def test_memory_is_bounded() -> None:
    receivers = Receivers()
    add(receivers, "a.example", 2 * MAX_PENDING)
    assert receivers.pending == MAX_PENDING
    for started in start_all(receivers):
        time_out(receivers, started)
    assert receivers.add(due("a.example")) > 0
    for n in range(MAX_RECEIVERS):
        add(receivers, f"{n}.example", 1)
        receivers.finish(start_all(receivers)[0], has_answered=True, has_hung=False)
    assert receivers.add(due("a.example")) == 0  # forgotten
