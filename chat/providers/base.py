"""What every provider offers: a prompt in, deltas out, and an ending."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from chat.domain import Completion, FinishReason, Model, Options, Prompt, PromptMessage, Role
from chat.domain.errors import ModelInvalidResponse
from chat.providers.transport import CancellableCall

StreamItem = tuple[str, Completion | None]
"""What one event of a vendor's stream brings: text, and the ending when it is the last."""

_PROBE = Prompt(
    messages=(PromptMessage(role=Role.USER, content="Say hello."),), options=Options(max_tokens=8)
)


class Provider(ABC):
    """Speaks one vendor's wire format for one model of the settings.

    One instance serves all threads of a process. It knows nothing of sessions, turns or Redis.
    """

    def __init__(self, model: Model) -> None:
        """Refuse early what this provider cannot do.

        Raises:
            ConfigError: the model's settings ask for something that this format lacks.
        """
        self.model = model

    @abstractmethod
    def stream(self, prompt: Prompt, call: CancellableCall) -> Iterator[str | Completion]:
        """Ask the model; yield each delta as it arrives and one `Ending` last.

        `upstream.close()`, from any thread and at any moment, ends the call: the iterator then
        raises `UpstreamClosed` within milliseconds, whether it waited for the connection, the
        headers or the next piece. So does closing the iterator, without an error.

        Raises:
            ProviderError: one of its subclasses, never a foreign exception.
        """

    def probe(self) -> None:
        """Make one small real call, and return when the model has answered it.

        Raises:
            ProviderError: it has not.
        """
        for _ in self.stream(_PROBE, CancellableCall()):
            pass


def deltas(items: Iterable[StreamItem], call: CancellableCall) -> Iterator[str | Completion]:
    """Yield the pieces' texts that are not empty, and the ending.

    Raises:
        UpstreamClosed: the call was closed, though more had arrived.
        ModelInvalidResponse: the model stopped by itself without having said anything but blanks.
            One
            cut short by its bound or a filter has an ending that explains it.
    """
    blank = True
    for text, ending in items:
        call.raise_if_cancelled()
        if text:
            blank = blank and text.isspace()
            yield text
        if ending is not None:
            if blank and ending.finish_reason is FinishReason.STOP:
                raise ModelInvalidResponse("The model's reply is empty.")
            yield ending
