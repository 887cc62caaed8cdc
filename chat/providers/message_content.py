"""The text and the reasoning of a chat message or delta, wherever vendors put them."""

from typing import Any

from chat.providers.deviations import describe, invalid_response

# DeepSeek, vLLM, llama.cpp; OpenRouter, Groq, Ollama.
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
# Types of parts: Mistral, Anthropic; OpenAI's Responses.
_REASONING_TYPES = {"thinking", "reasoning", "reasoning_text", "summary_text"}
_TEXT_KEYS = ("text", "refusal", "value", "thinking", "reasoning", "content")


def read(message: object) -> tuple[str, str]:
    """Return the text, which may be a refusal, and the reasoning.

    Raises:
        ModelInvalidResponse: the message or its content has an unknown type.
    """
    if message is None:
        return "", ""
    if not isinstance(message, dict):
        raise invalid_response(f"{describe(message)} as the message")
    text, reasoning = _read_content(message.get("content"))
    if not text or text.isspace():
        text = _text(message.get("refusal")) or text
    return text, reasoning or _reasoning(message)


def _read_content(content: object) -> tuple[str, str]:
    """Read a text, a part, or a list of texts and parts."""
    text = reasoning = ""
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, dict) and _is_reasoning(part):
            reasoning += _text(part)
        else:
            text += _text(part)
    return text, reasoning


def _is_reasoning(part: dict[str, Any]) -> bool:
    kind = part.get("type")
    # Gemini marks its reasoning as thoughts.
    return part.get("thought") is True or (isinstance(kind, str) and kind in _REASONING_TYPES)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_text, value))
    if isinstance(value, dict):  # a part without text, such as an image, has none of the keys
        return _text(next(filter(None, map(value.get, _TEXT_KEYS)), None))
    raise invalid_response(f"{describe(value)} as the content")


def _reasoning(message: dict[str, Any]) -> str:
    found = (message.get(key) for key in REASONING_KEYS)
    return next((value for value in found if isinstance(value, str) and value), "")
