"""Ollama: openai/openai.go, middleware/openai.go, llm/llama_server.go of ollama/ollama."""

from fakemodel.errors import TooLong
from fakemodel.formats.sse import encode_event
from fakemodel.imitations.error_bodies import openai_body
from fakemodel.imitations.imitation import Document, Errors, Imitation, Stream, reasoning_field

FINGERPRINT = {"system_fingerprint": "fp_ollama"}


def error_event(_message: str) -> bytes:
    """Return an empty chunk: the middleware parses the error as a reply without text.

    The body then ends without a finish reason and without `[DONE]`.
    """
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": None}
    return encode_event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "",
            **FINGERPRINT,
            "choices": [choice],
        }
    )


OLLAMA = Imitation(
    name="ollama",
    stream=Stream(fields=FINGERPRINT),
    document=Document(fields=FINGERPRINT),
    errors=Errors(
        body=openai_body(
            {404: "not_found_error", **dict.fromkeys((401, 429, 500, 503), "api_error")}
        ),
        event=error_event,
        # Ollama says so only with `shift` off. By default it silently drops the oldest messages.
        too_long=TooLong(
            message="the prompt is longer than the context length currently available to the model;"
            " shorten the prompt, adjust the context length in settings, or use a model with a"
            " longer context length",
        ),
        messages={
            404: 'model "{model}" not found, try pulling it first',
            500: "llama runner process has terminated: exit status 2",
            503: "server busy, please try again.  maximum pending requests exceeded",
        },
    ),
    # Versions before 0.9 leave `<think>` in the text: the directive `think`.
    reasoning=reasoning_field("reasoning", content=""),
)
