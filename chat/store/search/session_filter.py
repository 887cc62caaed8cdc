"""What a search for sessions can ask for."""

import re
import unicodedata
from dataclasses import dataclass, replace
from itertools import chain

import orjson

from chat.domain.bans import Subject
from chat.store import openers
from chat.store.listing import ANY_TIME, SessionSummary, TimeRange
from chat.store.openers import UNLISTED, LabelRange

ID_PREFIX = re.compile("ses_[0-9a-f]{1,24}")
# Characters with a meaning in Redis's glob patterns.
GLOB_CHARACTERS = re.compile(r"[*?\[\]\\^-]")
# Any error code.
ANY = "any"
RATED_DOWN = "rated:down"


def normalize_name(text: str) -> str:
    """Return `text` as names are compared: case-folded, NFKC, with single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Selects sessions; an empty field selects all."""

    # The start of an id, including `ses_`, or else a part of a name. Not a pattern.
    text: str = ""
    # `running`, `waiting` or `idle`.
    status: str = ""
    model: str = ""
    # The error code of the reply that failed last, or `ANY`.
    failed: str = ""
    # `down`: a reply was rated so.
    rated: str = ""
    # All of them have opened the session, such as a key from an address.
    openers: tuple[Subject, ...] = ()
    # `listed` or `unlisted`: whether the list of the user's sessions has it.
    kind: str = ""
    # When the session was last active.
    time_range: TimeRange = ANY_TIME

    def matches(self, summary: SessionSummary) -> bool:
        return (
            self.status in {"", summary.status}
            and self.model in {"", orjson.loads(summary.model)}
            and self.failed in {"", summary.error_code, summary.error_code and ANY}
            and (not self.rated or summary.is_rated_down)
            and all(openers.has_opened(each, summary.openers) for each in self.openers)
            and self.kind in {"", "unlisted" if UNLISTED in summary.openers else "listed"}
            and self.time_range.contains(summary.last_active_at)
            and summary.id.startswith(self.id_prefix)
            and self.name_part in normalize_name(orjson.loads(summary.name))
        )

    @property
    def id_prefix(self) -> str:
        """The text, if it is the start of an id."""
        return self.text if ID_PREFIX.fullmatch(self.text) else ""

    @property
    def name_part(self) -> str:
        """The normalized text, if it is not the start of an id."""
        return "" if self.id_prefix else normalize_name(self.text)

    @property
    def model_json(self) -> bytes:
        return orjson.dumps(self.model) if self.model else b""

    @property
    def pattern(self) -> str:
        """A glob pattern for members of the search index, or "" to match all."""
        if not self.text and not self.model:
            return ""
        model = _escape_glob(self.model_json.decode()) or "*"
        return f"{model}\n*{_escape_glob(self.name_part)}*\n{_escape_glob(self.id_prefix)}*"

    @property
    def is_countable(self) -> bool:
        """Redis can count the matches of any time without a scan."""
        if self == SessionFilter(failed=self.failed, rated=self.rated, time_range=self.time_range):
            return not (self.failed and self.rated)
        return self.status in {"", "idle"} and not (self.text or self.kind or self.has_label)

    @property
    def has_label(self) -> bool:
        return bool(self.failed or self.rated or self.openers)

    @property
    def has_only_opener(self) -> bool:
        """Whether it selects all sessions that one subject has opened."""
        return len(self.openers) == 1 and replace(self, openers=()) == SessionFilter()

    @property
    def label_bounds(self) -> list[tuple[str, str]]:
        """The ranges of labels to scan, for ZRANGEBYLEX; see lua/lib/labels.lua.

        A session is in at most one of them. Without any, all sessions are scanned.
        """
        if self.failed == ANY:
            return [("[failed:", "(failed;")]  # ";" is the next character after ":"
        if self.failed or self.rated:
            label = f"failed:{self.failed}" if self.failed else RATED_DOWN
            return [LabelRange(label, label).bounds]
        return [each.bounds for each in openers.ranges(self.openers[0])] if self.openers else []

    @property
    def conditions(self) -> tuple[str, ...]:
        """What sessions with these labels must also fulfil, as scan_sessions.lua takes it."""
        has_other_bounds = self.failed or self.rated
        only_unlisted = "" if self.kind == "unlisted" else "!"
        return (
            RATED_DOWN if self.failed and self.rated else "",
            *(
                " ".join(chain.from_iterable(openers.ranges(each)))
                for each in self.openers[0 if has_other_bounds else 1 :]
            ),
            *([f"{only_unlisted}{UNLISTED} {UNLISTED}"] if self.kind else ()),
        )


def _escape_glob(text: str) -> str:
    """Return a glob pattern that matches only this text."""
    return GLOB_CHARACTERS.sub(r"\\\g<0>", text)
