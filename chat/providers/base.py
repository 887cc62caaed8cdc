"""The interface of a provider: a prompt in, deltas and a completion out."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator

from chat.domain import (
    Completion,
    Model,
    Options,
    Prompt,
    PromptMessage,
    Reasoning,
    Role,
)
from chat.domain.errors import ConfigError
from chat.http.client import close_connections
from chat.providers.call_timeouts import CallTimeouts

# What a provider yields: deltas, reasoning and other activity, and the completion.
Item = str | Reasoning | Completion
# What one event of a vendor's stream contains: text, and reasoning or the completion.
StreamItem = tuple[str, Reasoning | Completion | None]
# An event without text.
ACTIVITY: StreamItem = ("", Reasoning())

_CHECK_PROMPT = Prompt(
    messages=(PromptMessage(role=Role.USER, content="Say hello."),), options=Options(max_tokens=8)
)


class Provider(ABC):
    """Speaks one vendor's wire format for one configured model.

    All turns of a process share an instance. It knows nothing of sessions, turns or Redis.
    """

    def __init__(self, model: Model) -> None:
        """Check the settings of the model, without a call.

        Raises:
            ConfigError: the model's settings request something that this format lacks.
        """
        self.model = model

    @abstractmethod
    def stream(self, prompt: Prompt) -> AsyncGenerator[Item]:
        """Call the model; yield each delta as it arrives, and one `Completion` last.

        Reasoning and keep-alives are yielded as `Reasoning`; the timeouts count both as activity.

        It runs on the worker's event loop and must not block it; see `BlockingProvider`. If its
        task is cancelled, or the generator closed, the call ends at once.

        Raises:
            ProviderError: the call failed; no foreign exception is raised.
        """

    def check(self) -> None:
        """Make one short, real call with the model's timeouts, as a turn does.

        Raises:
            ProviderError: the call failed or timed out.
        """
        asyncio.run(self._check())

    async def _check(self) -> None:
        timeouts = CallTimeouts(self.model.timeouts)
        try:
            async with timeouts.watch():
                async for item in self.stream(_CHECK_PROMPT):
                    if isinstance(item, str):
                        timeouts.record_text()
                    else:
                        timeouts.record_activity()
        finally:
            close_connections()


def check_drop_options(model: Model, droppable: set[str]) -> None:
    """Reject options to drop that the format never sends.

    Raises:
        ConfigError: `drop_options` names an option that the format does not have.
    """
    if unknown := sorted(set(model.drop_options) - droppable):
        known = ", ".join(sorted(droppable))
        raise ConfigError(
            f"model {model.name}: drop_options must not contain {unknown[0]!r}, only {known}"
        )
