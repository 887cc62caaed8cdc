"""A healthy client next to the attacks of docs/security.md: `python -m bench attacks`.

Each attack comes from another address, in its own process. It alternates with quiet periods, so
that other load on the machine counts for both. The client polls its session, and waits for replies.

A real attacker uses another machine. Here, its process has the kernel's policy for idle time
(SCHED_IDLE), so that it takes no CPU from the servers while they have work, and from the client
neither. It still sends as fast as they answer.

`BENCH_ATTACKS` chooses attacks: `S43,S48`. With `BENCH_PROXY=nginx`, all requests pass through the
nginx of docker-compose.yml with its limits; without it, clients reach the web process directly.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from itertools import chain, cycle
from multiprocessing import get_context
from pathlib import Path
from statistics import quantiles
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from chat.accounts import subjects
from chat.conversation import ending
from tests.harness.compose_nginx import start_nginx
from tests.harness.stack import Stack, port_of
from tests.harness.webhook_receiver import WebhookReceiver, hang
from tests.integration.api.client import APIClient
from tests.integration.server.attacks import ATTACKER, HEALTHY, Attack, Measurement

# Quiet periods and attacks, by turns, and the seconds of each.
ROUNDS, SECONDS = int(os.environ.get("BENCH_ROUNDS", "3")), 6.0
# The first words of the attacks to run; all if it is empty.
CHOSEN = tuple(filter(None, os.environ.get("BENCH_ATTACKS", "").split(",")))
# Whether nginx is in front.
HAS_PROXY = os.environ.get("BENCH_PROXY") == "nginx"
# Seconds for an attack to take effect.
START = 1.0
# Seconds between two polls, and between two turns.
POLL_PAUSE, TURN_PAUSE = 0.06, 0.1
# Clients that wait for replies, each from its own address, so that the p99 is that of hundreds.
CHATTERS = 3
# Sessions of each, so that none exceeds its rate.
SESSIONS = 10
# JSON escapes make 32 KB of it 60 KB.
LARGE = 15_000 * "\t" + 17_000 * "x"
SETTINGS = {
    "CHAT_READS_PER_MINUTE": "1200",
    "CHAT_ADDRESS_READS_PER_MINUTE": "6000",
    "CHAT_WEBHOOK_SECRETS": "whsec_" + "A" * 32,
    "CHAT_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/16",
    "CHAT_TRUSTED_PROXIES": "127.0.0.1" if HAS_PROXY else "",
}


class Session(NamedTuple):
    id: str
    token: str


class Client:
    """A client with an address and one connection."""

    def __init__(self, url: str, address: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = HTTPConnection(
            parts.hostname, parts.port, timeout=60, source_address=(address, 0)
        )

    def call(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        """Return status and body of the response."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        content = None if body is None else orjson.dumps(body)
        try:
            self._connection.request(method, path, content, headers)
            response = self._connection.getresponse()
            return response.status, orjson.loads(response.read() or b"null")
        except (OSError, HTTPException):
            self._connection.close()
            return 0, None

    def open(self, **fields: Any) -> Session:
        while True:
            status, body = self.call("POST", "/sessions", body=fields)
            if status == 201:
                return Session(body["id"], body["token"])
            time.sleep(0.5)

    def reply(self, session: Session, content: str) -> None:
        """Post a message, and wait until its reply has ended."""
        status, body = self.call("POST", "/messages", session.token, {"content": content})
        if status != 202:
            return
        seq, wanted = body["reply"]["seq"], body["reply"]["id"]
        while True:
            path = f"/sessions/{session.id}?limit=1&after={seq}&wait=20"
            status, found = self.call("GET", path, session.token)
            if status != 200:
                continue
            seq = found["seq"]
            if any(m["id"] == wanted and m["completed_at"] for m in found["messages"]):
                return


def repeat(act: Callable[[Client], object], url: str, threads: int = 4) -> None:
    """Call without end, from several connections."""

    def run() -> None:
        client = Client(url, ATTACKER)
        while True:
            act(client)

    for _ in range(threads):
        Thread(target=run, daemon=True).start()
    signal.pause()


def change_sessions(url: str) -> None:
    session = Client(url, ATTACKER).open()

    def change(client: Client) -> None:
        body = {"system_prompt": os.urandom(8).hex() + LARGE}
        client.call("PATCH", f"/sessions/{session.id}", session.token, body)

    repeat(change, url)


def open_sessions(url: str) -> None:
    body = {"system_prompt": LARGE, "ttl": 86_400}
    repeat(lambda client: client.call("POST", "/sessions", body=body), url)


def post_faults(url: str, fault: str, sessions: int, **fields: Any) -> None:
    """Post turns whose model calls fail, in several sessions."""
    opener = Client(url, ATTACKER)
    opened = cycle([opener.open(**fields) for _ in range(sessions)])

    def post(client: Client) -> None:
        client.call("POST", "/messages", next(opened).token, {"content": fault})
        time.sleep(0.02)

    repeat(post, url, threads=2)


def block_model(url: str) -> None:
    post_faults(url, "[[fault:429 retry_after=86400]]", 5)


def hang_model(url: str) -> None:
    post_faults(url, "[[fault:hang]]", 20)


def read_slowly(url: str) -> None:
    """Read a session of several MB on 100 connections, again and again."""
    session = Client(url, ATTACKER).open()
    for _ in range(8):
        Client(url, ATTACKER).call("POST", "/messages", session.token, {"content": "x" * 30_000})
    owner = APIClient(url, id=session.id, token=session.token)
    while True:
        with Attack(url) as attack:
            for _ in range(100):
                with suppress(OSError):
                    attack.read_slowly(owner, f"{owner.path}/messages?limit=200")
            time.sleep(0.5)


def log_in_unfinished(url: str) -> None:
    while True:
        with Attack(url) as attack:
            for _ in range(100):
                with suppress(OSError):
                    attack.send_unfinished("/admin/login/", size=1024 * 1024)


def open_streams(url: str) -> None:
    """Keep 600 event streams open, and open others for which there is no room."""
    opener = Client(url, ATTACKER)
    owners = [APIClient(url, **opener.open()._asdict()) for _ in range(25)]
    with Attack(url) as attack:
        for _ in range(24):
            for owner in owners:
                with suppress(OSError):
                    attack.open_stream(owner)
        while True:
            with suppress(OSError):
                attack.open_stream(owners[0])
            time.sleep(0.01)


def hang_webhooks(url: str) -> None:
    with WebhookReceiver("127.0.1.1") as receiver:
        receiver.default_responder = hang
        post_faults(url, "Hello", 10, webhook_url=receiver.url)


def probe(url: str) -> None:
    """Send the cheapest request that is valid, each on a new connection: the control."""
    parts = urlsplit(url)
    request = f"GET /live HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()
    while True:
        with Attack(url) as attack, suppress(OSError):
            connection = attack.connect()
            connection.sendall(request)
            while connection.recv(4096):
                pass


Attacker = Callable[[str], None]

ATTACKS: dict[str, Attacker] = {
    "S43 changes of 60 KB": change_sessions,
    "S44 large sessions": open_sessions,
    "S45 model with Retry-After": block_model,
    "S46 hanging model calls": hang_model,
    "S47 slow readers": read_slowly,
    "S48 unfinished logins": log_in_unfinished,
    "S49 event streams": open_streams,
    "S52 hanging webhooks": hang_webhooks,
    "valid probes, as a control": probe,
}


Times = dict[str, list[float]]


def run_idle(attack: Attacker, url: str) -> None:
    """Run an attack in the time that no other process needs."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    attack(url)


class Healthy:
    """A client that polls, and others that wait for replies."""

    def __init__(self, url: str) -> None:
        self._poller = Client(url, HEALTHY)
        self._polled = self._poller.open()
        self._chatters = []
        for n in range(CHATTERS):
            client = Client(url, f"127.0.7.{n + 1}")
            self._chatters.append((client, cycle([client.open() for _ in range(SESSIONS)])))

    def measure(self) -> Times:
        """Return what polls and replies take, in seconds."""
        with ExitStack() as running:
            polls = running.enter_context(Measurement(self._poll, POLL_PAUSE))
            chats = [
                running.enter_context(Measurement(partial(_chat, *chatter), TURN_PAUSE))
                for chatter in self._chatters
            ]
            time.sleep(SECONDS)
        return {"poll": polls.times, "reply": [each for chat in chats for each in chat.times]}

    def _poll(self) -> None:
        path = f"/sessions/{self._polled.id}?limit=1"
        status, _ = self._poller.call("GET", path, self._polled.token)
        assert status == 200, status


def _chat(client: Client, sessions: Iterator[Session]) -> None:
    client.reply(next(sessions), "Hello")


def compare(url: str, healthy: Healthy, attack: Attacker) -> tuple[list[Times], list[Times]]:
    """Return the times without and with the attack, for each round."""
    quiet, attacked = [], []
    for _ in range(ROUNDS):
        quiet.append(healthy.measure())
        process = get_context("fork").Process(target=run_idle, args=(attack, url), daemon=True)
        process.start()
        time.sleep(START)
        attacked.append(healthy.measure())
        assert process.is_alive(), "the attack has ended"
        process.kill()
        process.join()
        ending.end_sessions(subjects.from_address(ATTACKER), by="bench")
    return quiet, attacked


def report(name: str, kind: str, quiet: list[list[float]], attacked: list[list[float]]) -> str:
    """Return the line of a kind of request, of which there are times for each round.

    The factor is that of the p99 of all rounds. The range of the rounds' own shows the noise.
    """
    (p50, p99), (hit_p50, hit_p99) = _p(chain(*quiet)), _p(chain(*attacked))
    factors = sorted(_p(hit)[1] / _p(usual)[1] for usual, hit in zip(quiet, attacked, strict=True))
    return (
        f"{name:28}{kind:8}{p50:8.1f}{p99:8.1f}{hit_p50:15.1f}{hit_p99:8.1f}{hit_p99 / p99:8.2f}"
        f"   {factors[0]:.1f}-{factors[-1]:.1f}"
    )


def _p(times: Iterable[float]) -> tuple[float, float]:
    """Return median and 99th percentile, in ms."""
    cuts = quantiles(times, n=100, method="inclusive")
    return 1000 * cuts[49], 1000 * cuts[98]


def main(directory: Path) -> None:
    """Print one line per attack and kind of request."""
    stack = Stack(directory / "stack", env=SETTINGS, redis_port=port_of(os.environ["REDIS_URL"]))
    with ExitStack() as started:
        started.callback(stack.shut_down)
        stack.start()
        url = stack.web().url
        if HAS_PROXY:
            proxy = start_nginx(directory / "nginx", urlsplit(url).port or 0)
            started.callback(proxy.ensure_stopped)
            url = proxy.url
        healthy = Healthy(url)
        print(
            f"{'attack':28}{'request':8}{'p50':>8}{'p99':>8}{'attacked p50':>15}{'p99':>8}"
            f"{'factor':>8}   of rounds"
        )
        for name, attack in ATTACKS.items():
            if CHOSEN and not name.startswith(CHOSEN):
                continue
            quiet, attacked = compare(url, healthy, attack)
            for kind in ("poll", "reply"):
                times = [[each[kind] for each in rounds] for rounds in (quiet, attacked)]
                print(report(name, kind, *times), flush=True)
