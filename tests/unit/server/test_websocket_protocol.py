"""`project.server.websocket_protocol`: the frames that it sends."""

import pytest
from websockets.frames import Frame, Opcode

from project.server.websocket_protocol import text_frame


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_text_frames_are_those_of_rfc_6455(size: int) -> None:
    text = b"x" * size
    assert b"".join(text_frame(text)) == Frame(Opcode.TEXT, text).serialize(mask=False)
