"""Models and prompts for tests."""

from typing import Any

from chat.domain import Model, Options, Prompt, PromptMessage, Role


def model(**fields: Any) -> Model:
    """Return a model without a server; `fields` override its defaults."""
    defaults = {
        "name": "m",
        "provider": "openai",
        "url": "http://127.0.0.1:9/v1",
        "model": "vendor-m",
    }
    return Model(**{**defaults, **fields})


def prompt(text: str, **options: Any) -> Prompt:
    """Return a prompt of one message."""
    return Prompt(
        messages=[PromptMessage(role=Role.USER, content=text)], options=Options(**options)
    )
