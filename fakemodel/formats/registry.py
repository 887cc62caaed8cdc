"""Which path uses which format."""

from fakemodel.formats.base import Format
from fakemodel.formats.chat import CHAT
from fakemodel.formats.completions import COMPLETIONS
from fakemodel.formats.huggingface import HUGGINGFACE, MODELS

PATHS: dict[str, Format] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/generate": HUGGINGFACE,
    "/generate_stream": HUGGINGFACE,
    "/": HUGGINGFACE,
}


def find_format(path: str) -> Format | None:
    """Return the format of `path`, or None if it is not the path of a model."""
    known = PATHS.get(path)
    if known is None and path.startswith(MODELS) and len(path) > len(MODELS):
        return HUGGINGFACE
    return known
