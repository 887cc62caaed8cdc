"""Read the first choice of a response in one of OpenAI's formats, streamed or not."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from chat.domain import Completion, Usage, UsageSource
from chat.domain.errors import ModelInvalidResponse, ProviderError
from chat.http.errors import READ_ERRORS
from chat.providers import error_text, errors, finish_reasons
from chat.providers.base import ACTIVITY, StreamItem
from chat.providers.json_access import get_path, get_token_count
from chat.providers.response import Document, ModelResponse, unexpected_end

_PROMPT_TOKENS = ("prompt_tokens", "input_tokens", "prompt_n")
_COMPLETION_TOKENS = ("completion_tokens", "output_tokens", "predicted_n")
# Prompt tokens from the vendor's cache: OpenAI and most others; the names of its Responses API;
# DeepSeek; Moonshot.
_CACHED_TOKENS = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("prompt_cache_hit_tokens",),
    ("cached_tokens",),
)
# OpenAI and most others; the name of its Responses API; xAI.
_REASONING_TOKENS = (
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
    ("reasoning_tokens",),
)

Choice = Mapping[str, Any]


class ChoiceReader(ABC):
    """Reads one response. A finish reason ends the reply, whatever follows.

    Text that follows is still read, because some vendors send a finish reason with every chunk.
    """

    def __init__(self, response: ModelResponse, model: str) -> None:
        self.has_text = False
        self._response = response
        self._model = model
        self._last_choice: Choice | None = None
        self._reason: str | None = None
        # Whether text has followed a finish reason, so that none is the end.
        self._ends_early = False
        # The last plausible counts of prompt and reply, or the last ones if none were.
        self._counts: tuple[int, int] | None = None
        # Of the same chunk.
        self._cached_tokens = self._reasoning_tokens = 0
        # Text that comes with the completion. Of a JSON document it is all text: a reply that is
        # cut at a stop sequence keeps the document's usage.
        self._last_text = ""

    @abstractmethod
    def read_choice(self, choice: Choice) -> StreamItem:
        """Return the text of a choice, or the reasoning of a choice without text.

        Raises:
            ModelInvalidResponse: the choice has something else in place of its text.
        """

    async def items(self) -> AsyncGenerator[StreamItem]:
        """Yield an item for each event, and the completion.

        Raises:
            ModelInvalidResponse: the stream ended before a finish reason.
            ProviderError: the response contains an error.
            Disconnected, OSError: the connection failed before a finish reason.
        """
        try:
            async for document in self._response.documents():
                yield self._read_document(document)
        except (ProviderError, *READ_ERRORS) as error:
            if self._reason is None or self._explains_failure(error):
                raise
            self._log_end(f"{type(error).__name__} after the finish reason")
        if self._response.surrogates is not None:
            self._last_text += self._response.surrogates.flush()
        yield self._last_text, self._completion()

    def _read_document(self, document: Document) -> StreamItem:
        response = self._response
        try:
            choice = document["choices"][0]
            reason = choice.get("finish_reason")
        except (KeyError, IndexError, TypeError, AttributeError):
            self._read_other(document)
            return ACTIVITY
        if choice.get("error") or type(reason) is dict:
            self._raise_error(choice)
        text, other = self.read_choice(choice)
        if response.surrogates is not None:
            text = response.surrogates.join(text)
        if reason or self._reason:
            self._read_end(choice, has_text=bool(text))
        if text:
            self.has_text = True
        self._keep_usage(document, choice)
        self._last_choice = choice
        if self._reason and response.json_documents:
            self._last_text += text
            text = ""
        return text, other

    def _raise_error(self, choice: Choice) -> None:
        """Raise the error of a choice (OpenRouter) or of its finish reason (SGLang), if any."""
        reason = choice.get("finish_reason")
        if error := choice.get("error"):
            raise errors.from_event(self._model, {"error": error})
        if get_path(reason, "message") and finish_reasons.is_failure(
            finish_reasons.normalize(reason)
        ):
            raise errors.from_event(self._model, {"error": reason})

    def _explains_failure(self, error: Exception) -> bool:
        """Return whether the model failed, and a vendor's error says why."""
        is_vendors = isinstance(error, ProviderError) and not isinstance(
            error, ModelInvalidResponse
        )
        return is_vendors and finish_reasons.is_failure(self._reason)

    def _read_other(self, document: Document) -> None:
        """Read an object without a choice, such as the chunk with the usage, or a keep-alive."""
        self._keep_usage(document, {})
        if error_text.is_error(document):
            raise errors.from_event(self._model, document)

    def _keep_usage(self, document: Document, choice: Choice) -> None:
        """Keep the usage of a chunk unless it is less plausible than an earlier one."""
        usages = (
            # OpenAI sends null with every chunk but the last, which only has the usage.
            document.get("usage"),
            get_path(document, "x_groq", "usage") if "x_groq" in document else None,
            document.get("timings"),  # llama.cpp
            choice.get("usage"),  # Moonshot
        )
        for usage in filter(None, usages):
            prompt, completion = _count(usage, _PROMPT_TOKENS), _count(usage, _COMPLETION_TOKENS)
            if prompt is None or completion is None:
                continue
            if (prompt and completion) or not all(self._counts or (0,)):
                self._counts = prompt, completion
                self._cached_tokens = min(prompt, _first_count(usage, _CACHED_TOKENS))
                self._reasoning_tokens = min(completion, _first_count(usage, _REASONING_TOKENS))

    def _read_end(self, choice: Choice, *, has_text: bool) -> None:
        """Read a choice with a finish reason, and those after it."""
        if self._reason is not None and has_text and not self._ends_early:
            self._ends_early = True
            self._response.body.unlimit_tail()
            self._log_end("text after a finish reason")
        self._reason = finish_reasons.normalize(choice.get("finish_reason")) or self._reason
        has_ended = self._reason is not None and (has_text or self.has_text)
        if has_ended and not self._ends_early:
            self._response.body.limit_tail()

    def _log_end(self, got: str) -> None:
        self._response.log_deviation(
            "end of the stream", expected="[DONE]", got=got, action="read everything received"
        )

    def _completion(self) -> Completion:
        response = self._response
        if self._reason is None and not response.is_done and not self._is_whole():
            raise unexpected_end()
        if not response.is_done and not response.json_documents:
            self._log_end("the end of the body")
        return finish_reasons.to_completion(response, self._reason, self._read_usage())

    def _is_whole(self) -> bool:
        """Return whether the response is one complete document, which may lack a finish reason."""
        is_only = self._response.json_documents == 1
        return is_only and self._last_choice is not None and "delta" not in self._last_choice

    def _read_usage(self) -> Usage | None:
        """Return the token counts, or `None` if the vendor sent none that are plausible."""
        if self._counts is None:
            return None
        prompt, completion = self._counts
        if prompt == 0 or (completion == 0 and self.has_text):
            got = f"{prompt} and {completion}"
            self._response.log_deviation(
                "usage", expected="token counts", got=got, action="estimated it"
            )
            return None
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=completion,
            source=UsageSource.PROVIDER,
            cached_tokens=self._cached_tokens,
            reasoning_tokens=self._reasoning_tokens,
        )


def _first_count(usage: object, paths: Sequence[tuple[str, ...]]) -> int:
    return next(filter(None, (get_token_count(usage, *path) for path in paths)), 0)


def _count(usage: object, names: tuple[str, ...]) -> int | None:
    counts = (get_token_count(usage, name) for name in names)
    return next((count for count in counts if count is not None), None)
