"""Spans as a collector receives them from an installation."""

from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from redis import Redis

from tests.harness.recording_server import RecordingServer
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient

CANARY = "canary"
UPSTREAM = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = bytes.fromhex(UPSTREAM.split("-")[1])


def spans_of(collector: RecordingServer) -> dict[str, tuple[Span, int]]:
    """Return name -> span and process id."""
    found: dict[str, tuple[Span, int]] = {}
    for post in collector.requests_to("/v1/traces"):
        for resource in ExportTraceServiceRequest.FromString(post.body).resource_spans:
            process = {each.key: each.value for each in resource.resource.attributes}["process.pid"]
            for scope in resource.scope_spans:
                found |= {span.name: (span, process.int_value) for span in scope.spans}
    return found


def build_traced_stack(build_stack: Callable[..., Stack], server: RecordingServer) -> Stack:
    env = {
        "MODEL_URL": f"{server.url}/v1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": server.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    return build_stack(env=env)


@pytest.mark.thorough
def test_one_trace_covers_a_turn_that_the_sweeper_started(
    build_stack: Callable[..., Stack],
) -> None:
    with RecordingServer() as server:
        stack = build_traced_stack(build_stack, server).start(workers=0)
        owner = APIClient(stack.web().url).open_session(name=CANARY, system_prompt=CANARY)
        posted = owner.post("/messages", {"content": CANARY}, traceparent=UPSTREAM)
        assert posted.status_code == 202
        with Redis.from_url(stack.redis.url) as redis:
            assert redis.delete("chat") == 1  # the wake-up is lost
        stack.worker().start()
        wait_until(lambda: {"turn", "submit"} <= spans_of(server).keys(), within=30)

        spans = spans_of(server)
        post = "POST /messages"
        names = [post, "submit", "queue", "turn", "model", "finish"]
        assert {span.trace_id for span, _ in map(spans.__getitem__, names)} == {TRACE}
        processes = [spans[name][1] for name in names]
        web, worker = stack.web().pid, stack.worker().pid
        assert processes == [web, web, worker, worker, worker, worker]
        ids = {spans[name][0].span_id: name for name in names}
        parents = {name: ids.get(spans[name][0].parent_span_id) for name in names}
        assert parents == {
            post: None,
            "submit": post,
            "queue": "submit",
            "turn": "submit",
            "model": "turn",
            "finish": "turn",
        }
        (call,) = server.requests_to("/chat/completions")
        model = spans["model"][0]
        assert call.headers["traceparent"] == f"00-{TRACE.hex()}-{model.span_id.hex()}-01"
        assert not any(CANARY.encode() in each.body for each in server.requests_to("/v1/traces"))
        assert owner.token.encode() not in b"".join(
            each.body for each in server.requests_to("/v1/traces")
        )
        (line,) = [line for line in stack.worker().log.splitlines() if "msg_2: completed" in line]
        assert f'"trace_id": "{TRACE.hex()}"' in line


def test_failed_model_call_has_an_error_span(build_stack: Callable[..., Stack]) -> None:
    with RecordingServer() as server:
        stack = build_traced_stack(build_stack, server)
        stack.env["MODEL_URL"] = f"{server.url}/nothing"  # the response is not JSON
        stack.env["CHAT_MAX_ATTEMPTS"] = "1"
        stack.start()
        owner = APIClient(stack.web().url).open_session()
        owner.post_message("hello")
        wait_until(lambda: "turn" in spans_of(server), within=30)
        model, _ = spans_of(server)["model"]
        assert (model.status.code, model.status.message) == (
            Status.STATUS_CODE_ERROR,
            "model_invalid_response",
        )
        outcome = spans_of(server)["finish"][0].attributes[0]
        assert (outcome.key, outcome.value.string_value) == ("parley.outcome", "failed")
