"""Messages as clients send them, and turns that are added to a session's history as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chat.domain.enums import Role
from chat.domain.files import InputPart, Part, StoredFile


class InputMessage(NamedTuple):
    """A message as a client has sent it."""

    role: Role
    text: str
    # All of it, if it has more than text.
    parts: tuple[InputPart, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.parts)


class PastTurn(NamedTuple):
    """A turn that has ended. One of its texts may be empty."""

    content: str
    reply: str
    # All of the message, if it has more than text.
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Past turns, the oldest first, and the files of their parts that the session does not have."""

    turns: Sequence[PastTurn] = ()
    # By the files' ids.
    files: Mapping[str, tuple[StoredFile, bytes]] = field(default_factory=dict)
    # Id of the session from which Redis copies files; "" for none. The new session is in its
    # partition.
    source: str = ""
    # These files, by their ids.
    copied: Mapping[str, StoredFile] = field(default_factory=dict)

    @property
    def copied_bytes(self) -> int:
        return sum(file.bytes for file in self.copied.values())

    @property
    def size(self) -> int:
        """Return the bytes of texts and files, about."""
        texts = sum(len(turn.content) + len(turn.reply) for turn in self.turns)
        new = sum(len(content) for _, content in self.files.values())
        return texts + self.copied_bytes + new


NO_HISTORY = History()
