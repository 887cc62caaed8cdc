"""The interface of a provider: a prompt in, deltas and a completion out."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from chat.domain import Completion, FinishReason, Model, Options, Prompt, PromptMessage, Role
from chat.domain.errors import ModelInvalidResponse
from chat.http.cancellation import CancellableCall

# What one event of a vendor's stream contains: text, and in the last event the completion.
StreamItem = tuple[str, Completion | None]

_PROBE = Prompt(
    messages=(PromptMessage(role=Role.USER, content="Say hello."),), options=Options(max_tokens=8)
)


class Provider(ABC):
    """Speaks one vendor's wire format for one configured model.

    All threads of a process share an instance. It knows nothing of sessions, turns or Redis.
    """

    def __init__(self, model: Model) -> None:
        """
        Raises:
            ConfigError: the model's settings request something that this format lacks.
        """
        self.model = model

    @abstractmethod
    def stream(self, prompt: Prompt, call: CancellableCall) -> Iterator[str | Completion]:
        """Call the model; yield each delta as it arrives, and one `Completion` last.

        Any thread may cancel the call at any moment. The iterator then raises `UpstreamClosed`
        within milliseconds, whether it waits for the connection, the headers or the next delta.
        Closing the iterator also ends the call, without an error.

        Raises:
            ProviderError: the call failed; no foreign exception is raised.
        """

    def probe(self) -> None:
        """Make one short, real call and wait for the reply.

        Raises:
            ProviderError: the call failed.
        """
        for _ in self.stream(_PROBE, CancellableCall()):
            pass


def deltas(items: Iterable[StreamItem], call: CancellableCall) -> Iterator[str | Completion]:
    """Yield the items' texts that are not empty, and the completion.

    Raises:
        UpstreamClosed: the call was cancelled, even if more data had arrived.
        ModelInvalidResponse: the model stopped after whitespace only. If a limit or a filter ended
            the reply, its finish reason explains why it is empty.
    """
    is_blank = True
    for text, completion in items:
        call.raise_if_cancelled()
        if text:
            is_blank = is_blank and text.isspace()
            yield text
        if completion is not None:
            if is_blank and completion.finish_reason is FinishReason.STOP:
                raise ModelInvalidResponse("The model returned an empty reply.")
            yield completion
