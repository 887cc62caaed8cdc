"""Which path speaks which format."""

from fakemodel.formats.chat import CHAT
from fakemodel.formats.completions import COMPLETIONS
from fakemodel.formats.huggingface import HUGGINGFACE, MODELS
from fakemodel.formats.sse import Format

PATHS: dict[str, Format] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/generate": HUGGINGFACE,
    "/generate_stream": HUGGINGFACE,
    "/": HUGGINGFACE,
}


def find_format(path: str) -> Format | None:
    """The format spoken at `path`, or None where no model answers."""
    known = PATHS.get(path)
    if known is None and path.startswith(MODELS) and len(path) > len(MODELS):
        return HUGGINGFACE
    return known
