"""Which path speaks which format."""

from chat.devmodel.formats.chat import CHAT
from chat.devmodel.formats.completions import COMPLETIONS
from chat.devmodel.formats.huggingface import HUGGINGFACE, MODELS
from chat.devmodel.formats.wire import Format

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
