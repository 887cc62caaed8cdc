"""The plain prompt of `Human:` and `Bot:` turns, for formats that continue a text.

It has the tutorial's layout (`Human: ... Bot:`) with one turn per line. The reply ends where the
model starts to write the next `Human:` turn.
"""

import re

from chat.domain import Model, Prompt, Role
from chat.domain.errors import ConfigError

HUMAN, BOT = "Human:", "Bot:"
_SPEAKERS = {Role.USER: HUMAN, Role.ASSISTANT: BOT}

# A space before the colon keeps the text readable, and the marker no longer starts a turn.
_MARKER = re.compile(r"(?:Human|Bot|\b(?i:human|bot))(?=:)")
# Markers that start a turn in the templates of ChatML, Llama and Mistral.
_TEMPLATE_MARKER = re.compile(r"<(?=\||/?s>)|\[(?=/?INST\])")


def check_fields(model: Model) -> None:
    """Reject fields of a model that only apply to messages with roles.

    Raises:
        ConfigError: a field has no effect on a prompt without roles.
    """
    if model.system_role != "system":
        raise ConfigError(f"model {model.name}: system_role requires a format with roles")


def render(prompt: Prompt) -> str:
    """Return the prompt as one text that ends where the reply starts.

    Role markers inside a message are changed so that they do not start a turn.
    """
    parts = []
    for message in prompt.messages:
        content = _escape_markers(message.content).strip()
        speaker = _SPEAKERS.get(message.role)
        parts.append(f"{speaker} {content}\n" if speaker else f"{content}\n\n")
    return "".join(parts) + BOT


def _escape_markers(content: str) -> str:
    return _TEMPLATE_MARKER.sub(r"\g<0> ", _MARKER.sub(r"\g<0> ", content))
