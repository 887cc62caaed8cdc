"""The interface of a provider: a prompt in, deltas and a completion out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

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
from chat.http.cancellation import CancellableCall
from chat.providers.call_timeouts import CallTimeouts

# What a provider yields: deltas, reasoning and other activity, and the completion.
Item = str | Reasoning | Completion
# What one event of a vendor's stream contains: text, and reasoning or the completion.
StreamItem = tuple[str, Reasoning | Completion | None]
# An event without text.
ACTIVITY: StreamItem = ("", Reasoning())

_PROBE = Prompt(
    messages=(PromptMessage(role=Role.USER, content="Say hello."),), options=Options(max_tokens=8)
)


class Provider(ABC):
    """Speaks one vendor's wire format for one configured model.

    All threads of a process share an instance. It knows nothing of sessions, turns or Redis.
    """

    def __init__(self, model: Model) -> None:
        """Check the settings of the model, without a call.

        Raises:
            ConfigError: the model's settings request something that this format lacks.
        """
        self.model = model

    @abstractmethod
    def stream(self, prompt: Prompt, call: CancellableCall) -> Iterator[Item]:
        """Call the model; yield each delta as it arrives, and one `Completion` last.

        Reasoning and keep-alives are yielded as `Reasoning`; the timeouts count them as activity.

        Any thread may cancel the call at any moment. The iterator then raises `UpstreamClosed`
        within milliseconds, whether it waits for the connection, the headers or the next delta.
        Closing the iterator also ends the call, without an error.

        Raises:
            ProviderError: the call failed; no foreign exception is raised.
        """

    def probe(self) -> None:
        """Make one short, real call with the model's timeouts, as a turn does.

        Raises:
            ProviderError: the call failed or timed out.
        """
        call = CancellableCall()
        timeouts = CallTimeouts(self.model.timeouts)
        with timeouts.watch(call):
            for item in self.stream(_PROBE, call):
                if isinstance(item, str):
                    timeouts.record_text()
                else:
                    timeouts.record_activity()


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
