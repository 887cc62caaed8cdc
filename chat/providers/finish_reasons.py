"""The vendors' finish reasons, in the terms of `FinishReason`."""

import re

from chat.domain import Completion, FinishReason, Usage
from chat.domain.errors import ModelUnavailable
from chat.providers.deviations import quote_code
from chat.providers.response import ModelResponse

# The vendors' finish reasons in lower case, because vendors differ in case.
FINISH_REASONS: dict[str, FinishReason] = {
    **dict.fromkeys(
        (
            "stop",
            "stop_sequence",  # Anthropic, TGI
            "stop_token",
            "eos",  # Together
            "eos_token",  # TGI
            "end_turn",  # Anthropic, Bedrock
            "pause_turn",  # Anthropic
            "complete",  # Cohere
            "completed",
            "finish",  # Amazon Titan
            "stop_criteria_met",  # Amazon Titan
            "endoftext",  # AI21
            "finished",
            "end",
            "normal",  # Baidu
            "done",
            # Parley offers no tools, so the text is all there is.
            "tool_calls",
            "tool_call",  # Cohere
            "function_call",
            "tool_use",  # Anthropic
        ),
        FinishReason.STOP,
    ),
    **dict.fromkeys(
        (
            "length",
            "model_length",  # Mistral
            "max_tokens",  # Anthropic, Gemini
            "max_output_tokens",  # OpenAI's Responses
            "max_new_tokens",
            "max_length",
            "token_limit",  # watsonx
            "time_limit",  # watsonx
            "timeout",  # Cohere
            "max_completion_tokens",
            "model_context_window_exceeded",  # Anthropic, Zhipu
            "context_length_exceeded",
            "context_window_exceeded",
            "error_limit",  # Cohere
        ),
        FinishReason.LENGTH,
    ),
    **dict.fromkeys(
        (
            "content_filter",
            "content_filtered",  # Bedrock
            "guardrail_intervened",  # Bedrock
            "refusal",  # Anthropic
            "error_toxic",  # Cohere
            "sensitive",  # Zhipu
            # Gemini
            "safety",
            "recitation",
            "language",
            "blocklist",
            "prohibited_content",
            "spii",
            "image_safety",
            "image_prohibited_content",
            "model_armor",
            "other",
        ),
        FinishReason.CONTENT_FILTER,
    ),
    # The model failed, and the reply is not complete.
    **dict.fromkeys(
        (
            "error",  # OpenRouter, Mistral, Cohere
            "abort",  # vLLM, SGLang
            "aborted",
            "cancelled",
            "canceled",
            "user_cancel",  # Cohere
            "failed",
            "network_error",  # Zhipu
            "insufficient_system_resource",  # DeepSeek
        ),
        FinishReason.ERROR,
    ),
}

# What vendors send as long as there is no finish reason.
UNFINISHED = {"", "null", "none", "not_finished", "unspecified"}

# Vercel writes "content-filter". Gateways write the name of a constant of Google's SDK, such as
# "FinishReason.MAX_TOKENS" and "FINISH_REASON_STOP".
_SEPARATOR = re.compile(r"[\s-]+")
_PREFIX = re.compile(r"^finish_?reason[._]")


def normalize(reason: object) -> str | None:
    """Return a vendor's finish reason in lower case, or `None` if it has none yet."""
    if isinstance(reason, dict):  # SGLang's own format, OpenAI's `finish_details`
        reason = reason.get("type")
    if reason is None:
        return None
    # Some explain it: "content_filter: PROHIBITED_CONTENT".
    text = _SEPARATOR.sub("_", str(reason).partition(":")[0].strip().lower())
    text = _PREFIX.sub("", text)
    return None if text in UNFINISHED else text


def is_failure(reason: str | None) -> bool:
    """Return whether a normalized finish reason says that the model failed."""
    return FINISH_REASONS.get(reason or "") is FinishReason.ERROR


def to_completion(
    response: ModelResponse, reason: str | None, usage: Usage | None = None
) -> Completion:
    """Return the completion for a normalized finish reason; an unknown one completes the reply.

    Raises:
        ModelUnavailable: the reason is that the model failed.
    """
    finish_reason = FINISH_REASONS.get(reason or "")
    if is_failure(reason):
        raise ModelUnavailable from ValueError(f"finish reason {reason}")
    if finish_reason is None:
        response.log_deviation(
            "finish_reason",
            expected="one of the documented values",
            got=quote_code(reason),
            action="completed the reply",
        )
    return Completion(finish_reason=finish_reason or FinishReason.STOP, usage=usage)
