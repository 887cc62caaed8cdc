"""Models and prompts for tests, with what matters to them."""

from typing import Any

from chat.domain import Model, Options, Prompt, PromptMessage, Role


def model(**fields: Any) -> Model:
    """Return a model that nobody answers, but for `fields`."""
    usual = {"name": "m", "provider": "openai", "url": "http://127.0.0.1:9/v1", "model": "vendor-m"}
    return Model(**{**usual, **fields})


def prompt(text: str, **options: Any) -> Prompt:
    """Return a prompt of one message."""
    return Prompt(
        messages=[PromptMessage(role=Role.USER, content=text)], options=Options(**options)
    )
