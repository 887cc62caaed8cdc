import logging
import time

import pytest

from chat.domain.errors import (
    ContextTooLong,
    ModelBadRequest,
    ModelInvalidResponse,
    ModelLoading,
    ModelRateLimited,
    ModelTimeout,
    ModelUnavailable,
    ProviderError,
)
from chat.providers.errors import (
    LOADING_RETRY_AFTER,
    MAX_PARSED_RETRY_AFTER,
    from_event,
    from_response,
)


def openai(code: object = None, kind: str = "", message: str = "canary") -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "code": code, "param": None}}


def tgi(kind: str, message: str = "canary") -> dict[str, object]:
    return {"error": message, "error_type": kind}


def error_for(status: int, document: object = None, **headers: str) -> ProviderError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return from_response("m", status, named, document)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (201, ModelInvalidResponse),
        (204, ModelInvalidResponse),
        (302, ModelBadRequest),
        (307, ModelBadRequest),
        (400, ModelBadRequest),
        (401, ModelBadRequest),
        (402, ModelBadRequest),
        (403, ModelBadRequest),
        (404, ModelBadRequest),
        (408, ModelTimeout),
        (409, ModelUnavailable),
        (413, ContextTooLong),
        (422, ModelBadRequest),
        (424, ModelUnavailable),
        (425, ModelUnavailable),
        (429, ModelRateLimited),
        (500, ModelUnavailable),
        (502, ModelUnavailable),
        (503, ModelUnavailable),
        (504, ModelTimeout),
        (529, ModelUnavailable),
    ],
)
def test_each_status_has_an_error(status: int, kind: type[ProviderError]) -> None:
    assert type(error_for(status)) is kind
    assert type(error_for(status, "<html>")) is kind
    assert type(error_for(status, {"error": ["canary"], "detail": [{}]})) is kind


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (400, openai("context_length_exceeded", "invalid_request_error")),
        (400, openai(message="This model's maximum context length is 4097 tokens. However, ...")),
        (400, openai(400, "exceed_context_size_error")),
        (500, {"error": {"code": 500, "message": "Context size has been exceeded."}}),
        (422, tgi("validation", "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: ...")),
        (422, tgi("validation", "`inputs` must have less than 1024 tokens. Given: 2000")),
        (
            400,
            {
                "object": "error",
                "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model",
                "type": "invalid_request_error",
            },
        ),
    ],
    ids=["openai", "vllm", "llama.cpp", "llama.cpp 500", "tgi", "tgi input", "mistral"],
)
def test_too_long_conversation_is_recognised(status: int, document: object) -> None:
    assert type(error_for(status, document)) is ContextTooLong


def test_exhausted_quota_is_not_a_rate_limit() -> None:
    assert (
        type(error_for(429, openai("insufficient_quota", "insufficient_quota"))) is ModelBadRequest
    )
    assert type(error_for(429, openai("rate_limit_exceeded", "tokens"))) is ModelRateLimited
    for code in ("billing_hard_limit_reached", "exceeded_current_quota_error", "1113"):
        assert type(error_for(429, openai(code))) is ModelBadRequest
        assert type(error_for(429, openai(None, code))) is ModelBadRequest


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"code": "BadRequest", "innererror": {"code": "context_length_exceeded"}}},
        {"error": {"message": "x", "details": [{"message": "prompt is too long"}]}},
        {"error": "bad_request", "error_description": "prompt is too long"},
        {"Error": {"Code": "ValidationException", "Message": "prompt is too long"}},
        {"base_resp": {"status_code": 1039, "status_msg": "token limit exceed"}},
        {"title": "prompt is too long", "type": "about:blank"},
        {"errorMessage": "prompt is too long"},
        {"error": {"type": "invalid_request_error", "code": "context_length_exceeded"}},
    ],
)
def test_codes_and_messages_are_read_wherever_vendors_put_them(document: object) -> None:
    assert type(error_for(400, document)) is ContextTooLong


def test_text_that_an_error_quotes_is_not_its_message() -> None:
    quoted = {"input": "prompt is too long", "messages": [{"content": "prompt is too long"}]}
    assert type(error_for(400, {"detail": [{"msg": "invalid", **quoted}]})) is ModelBadRequest


def test_codes_with_a_status_of_their_own_are_rate_limits() -> None:
    assert type(error_for(498, openai(None, "capacity_exceeded"))) is ModelRateLimited
    assert type(error_for(400, {"__type": "ThrottlingException"})) is ModelRateLimited


def test_loading_model_reports_its_estimate() -> None:
    loading = error_for(503, {"error": "Model gpt2 is currently loading", "estimated_time": 20.5})
    assert type(loading) is ModelLoading
    assert loading.retry_after == 20.5
    later = error_for(503, {"error": "", "estimated_time": 2}, retry_after="30")
    assert later.retry_after == 30
    without = error_for(503, {"error": {"message": "Loading model", "type": "unavailable_error"}})
    assert type(without) is ModelLoading
    assert without.retry_after == LOADING_RETRY_AFTER
    explicit = error_for(503, {"error": {"message": "Loading model"}}, retry_after="7")
    assert explicit.retry_after == 7
    for seconds in (0, -5):
        immediate = error_for(503, {"estimated_time": seconds}, retry_after="0")
        assert immediate.retry_after == LOADING_RETRY_AFTER, (
            "without a delay the calls would not end"
        )


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (openai("server_error", "server_error"), ModelUnavailable),
        (openai(429), ModelRateLimited),
        (openai("429"), ModelRateLimited),
        (openai(400, "BadRequestError"), ModelBadRequest),
        (openai(None, "rate_limit_exceeded"), ModelRateLimited),
        (openai(message="maximum context length"), ContextTooLong),
        (tgi("generation"), ModelUnavailable),
        (tgi("incomplete_generation"), ModelUnavailable),
        (tgi("overloaded"), ModelRateLimited),
        (tgi("validation"), ModelBadRequest),
        ({"error": True}, ModelUnavailable),
    ],
)
def test_each_error_object_in_a_stream_has_an_error(
    document: object, kind: type[ProviderError]
) -> None:
    assert type(from_event("m", document)) is kind


@pytest.mark.parametrize(
    ("document", "seconds"),
    [
        (openai(message="Please try again in 6s."), 6),
        (openai(message="Please try again in 120ms."), 0.12),
        (openai(message="Please try again in 1m2.5s."), 62.5),
        (openai(message="Please try again in 1h47m17.664s."), 6437.664),
        (openai(message="Please try again in 2 minutes."), 120),
        (openai(message="Please wait 12 seconds before retrying."), 12),
        (openai(message="Please try again in 1 hour, 2 minutes and 3 seconds"), 3723),
        (openai(message="Please retry after 7 seconds."), 7),
        ([{"error": {"message": "Please retry in 34.07s."}}], 34.07),
        ([{"error": {"details": [{"@type": "RetryInfo", "retryDelay": "58s"}]}}], 58),
        ("try again in 3s", 3),
        (openai(message="try again later"), None),
    ],
)
def test_delay_in_the_text_of_an_error_is_read(document: object, seconds: float | None) -> None:
    assert error_for(429, document).retry_after == seconds
    assert error_for(429, document, retry_after="1").retry_after == 1
    assert error_for(400, document).retry_after is None
    stream_error = from_event("m", {"error": {"code": 429, "message": document}})
    assert stream_error.retry_after == seconds


@pytest.mark.parametrize(("offset", "seconds"), [(9, 9), (-9, 0)])
def test_openrouters_reset_time_is_read(offset: float, seconds: float) -> None:
    reset = round((time.time() + offset) * 1000)
    for value in (str(reset), reset):
        headers = {"X-RateLimit-Limit": "20", "X-RateLimit-Reset": value}
        document = {"error": {"code": 429, "metadata": {"headers": headers}}}
        assert error_for(429, document).retry_after == pytest.approx(seconds, abs=1)


@pytest.mark.parametrize("value", ["", "soon", "9", None, 10**30])
def test_implausible_reset_time_is_ignored(value: object) -> None:
    document = {"error": {"metadata": {"headers": {"X-RateLimit-Reset": value}}}}
    assert error_for(429, document).retry_after is None


def test_estimate_of_a_loading_model_is_a_number() -> None:
    for document in ({"estimated_time": float("nan")}, {"estimated_time": "5"}, {"error": "x"}):
        assert type(error_for(503, document)) is ModelUnavailable
    assert error_for(503, [{"error": "x", "estimated_time": 3}]).retry_after == 3
    assert from_event("m", {"estimated_time": 3, "error": "x"}).retry_after == 3


def test_retry_after_is_limited() -> None:
    assert error_for(429, retry_after="99999999999").retry_after == MAX_PARSED_RETRY_AFTER
    assert error_for(503, {"estimated_time": 1e300}).retry_after == MAX_PARSED_RETRY_AFTER


@pytest.mark.security("S33")
def test_vendors_text_is_not_in_errors_or_logs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for status in (400, 401, 429, 503):
        for document in (
            openai("invalid_api_key", "canary with blanks", "canary: sk-canary"),
            tgi("canary\ncanary"),
            {"detail": "canary"},
        ):
            for error in (error_for(status, document), from_event("m", document)):
                shown = f"{error} {error.message} {error!r} {error.__cause__!r}"
                assert "canary" not in shown
    assert "invalid_api_key" in caplog.text
    assert "canary" not in caplog.text


def test_status_and_vendor_codes_are_the_cause() -> None:
    error = error_for(401, openai("invalid_api_key", "authentication_error"))
    assert str(error.__cause__) == "status 401 invalid_api_key authentication_error"
