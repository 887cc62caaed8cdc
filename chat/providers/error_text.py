"""What the errors of vendors, servers and gateways say.

There is no standard: each has its own shape and its own words. The messages are only for matching,
because they may quote the prompt or the token.
"""

import json
import re
import time
from collections.abc import Mapping
from typing import Any

# How servers say that the prompt is too long for the model.
_TOO_LONG = (
    # OpenAI, DeepSeek, OpenRouter, Fireworks, SGLang, llama.cpp, Ollama, LM Studio, MiniMax,
    # Cloudflare, and Anthropic's "exceed context limit"
    r"context[ _](?:length|size|window|limit)",
    r"maximum context",
    r"maximum (?:supported )?sequence length",  # SambaNova
    r"should not exceed max_num_tokens",  # TensorRT-LLM
    r"configured limit of \d+ tokens",  # OpenAI
    r"messages\S{0,80} string too long",  # OpenAI
    r"maximum model length|max_model_len|max_seq_len",  # vLLM, ExLlama
    r"model input length limit",  # MLC-LLM
    r"`?inputs`? (?:tokens \+|must have less than)",  # TGI
    r"(?:prompt|input|request) length.{0,40} exceeds",  # SGLang, TensorRT-LLM
    r"expected maxLength: \d+, actual: \d+, please reformat",  # Amazon Titan
    # Anthropic, Bedrock, Baidu, and vLLM's "Input prompt (5000 tokens) is too long"
    r"(?:prompt|input|request|conversation|messages?)(?: tokens?| length)?(?: is| are)? too long",
    r"(?:prompt|input) \([^)]{0,40}\) is too long|(?:prompt|input) is too large",
    r"prompt contains \d+ tokens",  # Mistral
    r"(?:token count|number of (?:input )?tokens).{0,80}exceed",  # Copilot, watsonx
    r"exceeds? the maximum number of (?:input )?tokens",  # Gemini
    r"token count is \d+ but",  # Vertex AI
    r"maximum (?:prompt|input) length",  # xAI
    r"exceeded model token limit|token limit exceed",  # Moonshot, MiniMax
    # Volcengine
    r"exceed(?:s|ed)? (?:the )?max(?:imum)? (?:message|input|prompt) (?:tokens|length)",
    r"(?:prompt|input) exceeds (?:the )?maximum length",
    r"too many (?:input )?tokens",  # Cohere
    r"tokens in request more than max",  # Databricks
    r"current length is \d+ while limit is",  # Cerebras
    r"prompt exceeds (?:the |max)|prompt\s*超长",  # Zhipu
    r"range of input length should be",  # Alibaba
    # Groq, Azure
    r"reduce the (?:length|size|number of tokens) (?:of|in) (?:the|your) (?:messages|prompt|input)",
    r"(?:reduce|shorten) your (?:messages|prompt|input)",
)
_IS_TOO_LONG = re.compile("|".join(_TOO_LONG), re.IGNORECASE)
# Parameters whose names are like these words, in messages that reject the parameter.
_PARAMETER = r"['\"`]?\b(?!\w*exceed)[a-z]+_\w+\b(?! exceed)['\"`]?"
_REJECTED_PARAMETER = re.compile(
    r"\b(?:field|parameter|param|option|argument|property|attribute|key)s?"
    rf"(?: name| supplied| received)?:? {_PARAMETER}"
    rf"|{_PARAMETER}:? (?:extra inputs|input should|field required|unknown|unexpected|"
    r"is not\b|is invalid|is unknown|must be an?\b|should be an?\b)",
    re.IGNORECASE,
)
_IS_TOO_LARGE = re.compile(r"request (?:is )?too large|tokens must be reduced", re.IGNORECASE)
_LIMIT_AND_REQUESTED = re.compile(
    r"limit:? (\d{1,15}),.{0,40}?requested:? (\d{1,15})", re.IGNORECASE
)
_IS_RATE_LIMIT = re.compile(r"rate[ _-]?limit|too many requests", re.IGNORECASE)
_LOADING = re.compile(r"\bloading\b", re.IGNORECASE)
_MODEL_IS_LOADING = re.compile(
    r"loading model|model\b.{0,200}\b(?:is|still|currently) loading", re.IGNORECASE
)

# A part of a duration. The first letters of a unit decide.
_DURATION_PART = (
    r"\d{1,6}(?:\.\d{1,12})? ?(?:ms|milliseconds?|d(?:ays?)?|h(?:ours?|rs?)?|m(?:in(?:ute)?s?)?"
    r"|s(?:ec(?:ond)?s?)?)(?![a-z])"
)
# "Please try again in 1h2m3.5s" (OpenAI, Groq), "retry after 7 seconds" (Azure), "wait 5 seconds
# before", and Gemini's field.
_DELAY = re.compile(
    r"(?:(?:retry|try again) (?:in|after) |\bwait (?:for )?|\"retryDelay\": \")"
    rf"({_DURATION_PART}(?:(?:,|,? and)? ?{_DURATION_PART}){{0,3}})",
    re.IGNORECASE,
)
_NUMBER_AND_UNIT = re.compile(r"([\d.]+) ?(ms|mil|[dhms])", re.IGNORECASE)
_SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001, "mil": 0.001}

# OpenRouter: the time at which a limit is reset, in milliseconds since the epoch.
_RESET = re.compile(r"\"X-RateLimit-Reset\": \"?(\d{13})\b", re.IGNORECASE)

# How the keys of codes end, the most specific first: also Baidu's `error_code`, Amazon's `__type`.
_CODE_KEYS = ("code", "type", "status")
# TGI sends 422 here for every error in a stream.
_CONSTANT_KEY = "http_status_code"
# How the keys of messages end: also Baidu's `error_msg`, MiniMax's `status_msg`, Azure's
# `innererror`, and RFC 9457's `title`.
_MESSAGE_KEY = re.compile(
    r"(?:errors?|message|msg|details?|description|title|reason|exception|fault|faultstring|cause)$",
    re.IGNORECASE,
)
# Other objects that contain errors: OpenRouter's for the error of the vendor behind it, MiniMax's.
_CONTAINER_KEYS = {"metadata", "raw", "base_resp"}
# How the keys of an object end that is an error, and not a part of a reply.
_ERROR_KEY = re.compile(r"(?:errors?|message|msg|detail|exception|fault)$", re.IGNORECASE)
_STATUS_KEYS = ("code", "error_code", "status_code")
# Statuses with which vendors mark each chunk of a reply: iFlytek, MiniMax, gateways.
_SUCCESS = (0, 200, "0", "200")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Levels of objects and lists that are read, and items of a list.
_MAX_DEPTH = 6
_MAX_ITEMS = 10


def read(document: object) -> tuple[list[str], str]:
    """Return an error's codes in lower case, and its messages."""
    codes: list[str] = []
    messages: list[str] = []
    _collect(document, codes, messages, _MAX_DEPTH)
    return list(dict.fromkeys(filter(_CODE.fullmatch, codes))), "\n".join(messages)


def is_error(document: Mapping[str, Any]) -> bool:
    """Return whether a JSON object that contains no part of a reply reports an error."""
    status = document.get("base_resp")
    found = {**document, **status} if isinstance(status, dict) else document
    if any(found.get(key) in _SUCCESS for key in _STATUS_KEYS):
        return False
    return found.get("object") == "error" or any(
        value for key, value in found.items() if _ERROR_KEY.search(key)
    )


def is_too_long(message: str) -> bool:
    """Return whether the prompt exceeds the model's context window."""
    return bool(_IS_TOO_LONG.search(_REJECTED_PARAMETER.sub("", message)))


def is_too_large(message: str) -> bool:
    """Return whether this one request exceeds a rate limit, so that waiting does not help."""
    numbers = _LIMIT_AND_REQUESTED.search(message)
    return bool(_IS_TOO_LARGE.search(message)) or (
        numbers is not None and int(numbers[2]) > int(numbers[1])
    )


def requested_delay(document: object) -> float | None:
    """Return the seconds that an error's text asks to wait, or `None`."""
    text = json.dumps(document)
    if reset := _RESET.search(text):
        return max(0.0, int(reset[1]) / 1000 - time.time())
    found = _DELAY.search(text)
    if found is None:
        return None
    parts = _NUMBER_AND_UNIT.findall(found[1])
    return sum(float(number) * _SECONDS[unit.lower()] for number, unit in parts)


def is_rate_limit(message: str) -> bool:
    return bool(_IS_RATE_LIMIT.search(message))


def is_loading_in_503(message: str) -> bool:
    """Return whether the message of a response with status 503 says that the model is loading."""
    return bool(_LOADING.search(message))


def is_loading_without_status(message: str) -> bool:
    """Return whether a message without a status says that the model is loading.

    "error loading image" does not.
    """
    return bool(_MODEL_IS_LOADING.search(message))


def _collect(value: object, codes: list[str], messages: list[str], depth: int) -> None:
    if isinstance(value, str):
        messages.append(value)
    elif isinstance(value, list) and depth:
        for item in value[:_MAX_ITEMS]:
            _collect(item, codes, messages, depth - 1)
    elif isinstance(value, dict) and depth:
        for key, part in value.items():
            if key in _CONTAINER_KEYS or _MESSAGE_KEY.search(key):
                _collect(part, codes, messages, depth - 1)
        found = [
            part
            for end in _CODE_KEYS
            for key, part in value.items()
            if key.lower().endswith(end) and key != _CONSTANT_KEY
        ]
        codes += [str(code).lower() for code in found if isinstance(code, str | int)]
