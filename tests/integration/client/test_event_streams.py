"""Subscriptions read an event stream however it arrives."""

import json
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from parley_client.stream import Subscription
from parley_client.transport import Transport
from tests.integration.providers.raw_server import END, STREAM, RawServer, chunk, respond
from tests.unit.http.splits import positions, split

TEXTS = ["Gr\u00fc\u00dfe", " \U0001f600", "a\u2028b", "\r\n", "\n\ndata: x", "", "a" * 3000]
UPDATES = [
    {"type": "message.delta", "seq": seq, "delta": text} for seq, text in enumerate(TEXTS, start=1)
]


@settings(max_examples=25)
@given(st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), positions, positions)
def test_updates_do_not_depend_on_how_the_stream_arrives(
    line_end: str, is_ascii: bool, chunk_positions: list[int], packet_positions: list[int]
) -> None:
    events = [
        f"id: {update['seq']}\ndata: {json.dumps(update, ensure_ascii=is_ascii)}\n\n: ping\n\n"
        for update in UPDATES
    ]
    stream = "".join(["retry: 1000\n\n", *events]).replace("\n", line_end).encode()
    chunks = [chunk(piece) for piece in split(stream, chunk_positions) if piece]
    pieces = split(b"".join([STREAM, *chunks, END]), packet_positions)
    with RawServer(respond(*pieces)) as server:
        transport = Transport(server.url, retry_timeout=0, stream=True)
        updates = Subscription(transport, "ses_1", "token", 0).updates()
        assert list(islice(updates, len(UPDATES))) == UPDATES
        updates.close()
        transport.close()
