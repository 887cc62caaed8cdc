"""Which name stands for which server, and the formats of its paths."""

import re
from collections.abc import Callable

from fakemodel.formats.base import Format
from fakemodel.formats.registry import find_format
from fakemodel.imitations.anthropic import ANTHROPIC
from fakemodel.imitations.azure import AZURE
from fakemodel.imitations.format import format_of
from fakemodel.imitations.gemini import GEMINI
from fakemodel.imitations.groq import GROQ
from fakemodel.imitations.imitation import Imitation
from fakemodel.imitations.litellm import LITELLM
from fakemodel.imitations.llamacpp import LLAMACPP
from fakemodel.imitations.lmstudio import LMSTUDIO
from fakemodel.imitations.mistral import MISTRAL
from fakemodel.imitations.ollama import OLLAMA
from fakemodel.imitations.openai import OPENAI
from fakemodel.imitations.openrouter import OPENROUTER
from fakemodel.imitations.sglang import SGLANG
from fakemodel.imitations.tgi import TGI
from fakemodel.imitations.transformers import TRANSFORMERS
from fakemodel.imitations.vllm import EARLIER_VLLM, VLLM

FindFormat = Callable[[str], Format | None]

IMITATIONS: dict[str, Imitation] = {
    imitation.name: imitation
    for imitation in (
        *(OPENAI, AZURE, MISTRAL, ANTHROPIC, GEMINI, OPENROUTER, GROQ),
        *(VLLM, EARLIER_VLLM, SGLANG, LLAMACPP, OLLAMA, LMSTUDIO, TGI, TRANSFORMERS, LITELLM),
    )
}


def format_finder(name: str) -> FindFormat:
    """Return a function that finds the format of a path; without a name it is the fake model's."""
    if not name:
        return find_format
    imitation = IMITATIONS[name]
    chat = format_of(imitation)
    path_pattern = re.compile(imitation.path)

    def find(path: str) -> Format | None:
        return chat if path_pattern.fullmatch(path) else imitation.paths.get(path)

    return find
