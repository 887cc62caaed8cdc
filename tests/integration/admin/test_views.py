"""The pages of a session: contents, paging, live updates, and untrusted text."""

import json
import re
from dataclasses import replace

import pytest
from django.test import Client
from pytest_django import Settings

from chat.admin import views
from chat.conversation import files, llms, sessions, turns
from chat.conversation.messages import set_feedback
from chat.domain import Caller, Delta, Feedback, Rating, Status
from chat.domain.files import Part, PartType
from chat.store import leases
from chat.store.client import client as store_client
from chat.store.message_json import escape_reasoning
from tests.harness.ports import free_port
from tests.integration.admin.active_content import find_active_content
from tests.integration.admin.sessions import LIST, open_session, post_message, session_path
from tests.integration.api import fake_worker

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "<a href='javascript:alert(1)'>x</a>",
    "</div></li></ol><iframe src=//evil.example></iframe>",
    "{{ settings.SECRET_KEY }}{% debug %}",
    "![x](https://evil.example/pixel.png)",
]


@pytest.mark.security("S30")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_untrusted_text_stays_text(admin: Client, payload: str) -> None:
    session_id = open_session(payload, system_prompt=payload)
    post_message(session_id, payload)
    fake_worker.complete_turn(session_id, payload)
    pages = ("change", "events", "delete", "history")
    for path in [LIST, *(session_path(session_id, each) for each in pages)]:
        response = admin.get(path)
        html = response.content.decode()
        assert find_active_content(html) == [], path
        assert payload not in html or "<" not in payload
        assert "script-src" not in response["Content-Security-Policy"]
        assert "default-src 'self'" in response["Content-Security-Policy"]
    confirmation = admin.post(session_path(session_id, "action"), {"session_action": "expire"})
    assert find_active_content(confirmation.content.decode()) == []
    update = admin.get(session_path(session_id, "live")).json()
    assert find_active_content("".join(each["html"] for each in update["messages"])) == []


@pytest.mark.security("S30")
def test_active_content_in_payloads_is_found() -> None:
    assert [bool(find_active_content(payload)) for payload in PAYLOADS[:5]] == [True] * 5


def test_conversation_shows_each_turn_with_its_details(admin: Client) -> None:
    session_id = open_session("a name", system_prompt="be brief")
    post_message(session_id)
    fake_worker.complete_turn(session_id, "an answer")
    post_message(session_id, "a queued one")
    html = admin.get(session_path(session_id)).content.decode()
    for part in ("a name", "be brief", "a question", "an answer", "attempt 1", "generated in",
                 "queued for", "stop", "a queued one", "Waiting: queue, position 0"):  # fmt: skip
        assert part in html, part


def test_long_conversation_is_shown_in_pages(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MESSAGES_PER_PAGE", 4)
    session_id = open_session()
    for n in range(5):
        post_message(session_id, f"question {n}")
        fake_worker.complete_turn(session_id, f"answer {n}")

    def ids(query: str = "") -> list[str]:
        found = admin.get(session_path(session_id) + query).context["conversation"]
        return [message.message_id for message in found]

    assert ids() == ["msg_7", "msg_8", "msg_9", "msg_10"]
    assert ids("?before=7") == ["msg_3", "msg_4", "msg_5", "msg_6"]
    assert ids("?before=3") == ["msg_1", "msg_2"]
    assert ids("?after=2") == ["msg_3", "msg_4", "msg_5", "msg_6"]
    first = admin.get(session_path(session_id) + "?before=3").content.decode()
    assert "Newer messages" in first
    assert 'id="older" class="paging" hidden' in first
    assert "live.js" not in first


def test_live_update_contains_only_changes(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    fake_worker.complete_turn(session_id, "an answer")
    post_message(session_id, "another")
    claim = fake_worker.claim_turn(session_id)
    seq = sessions.read(Caller.internal(session_id)).seq
    path = session_path(session_id, "live")
    unchanged = admin.get(f"{path}?after={seq}").json()
    assert unchanged["seq"] == seq
    assert "messages" not in unchanged
    fake_worker.append_text(claim, "half a rep")
    update = admin.get(f"{path}?after={seq}").json()
    assert [each["id"] for each in update["messages"]] == ["msg_4"]
    assert "half a rep" in update["messages"][0]["html"]
    assert "running" in update["facts"]
    fake_worker.finish_turn(claim, "ly", after="half a rep")
    done = admin.get(f"{path}?after={update['seq']}").json()
    assert "half a reply" in done["messages"][0]["html"]
    assert "idle" in done["facts"]


def test_live_update_reflects_a_reset(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    fake_worker.complete_turn(session_id, "an answer")
    path = session_path(session_id, "live")
    seq = admin.get(path).json()["seq"]
    sessions.reset(Caller.internal(session_id))
    update = admin.get(f"{path}?after={seq}").json()
    assert (update["seqs"], update["messages"], update["older"]) == ([], [], None)
    post_message(session_id, "another question")
    update = admin.get(f"{path}?after={update['seq']}").json()
    assert [message_id for message_id, _ in update["seqs"]] == ["msg_3", "msg_4"]


def test_live_update_lists_all_messages_and_positions(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MESSAGES_PER_PAGE", 4)
    session_id = open_session()
    for n in range(4):
        post_message(session_id, f"question {n}")
    path = session_path(session_id, "live")
    seq = admin.get(path).json()["seq"]
    fake_worker.complete_turn(session_id, "an answer")
    update = admin.get(f"{path}?after={seq}").json()
    assert [message_id for message_id, _ in update["seqs"]] == ["msg_5", "msg_6", "msg_7", "msg_8"]
    assert update["older"] == 5
    assert [each["id"] for each in update["messages"]] == ["msg_6", "msg_8"]
    assert "position 1" in update["messages"][0]["html"]


def test_live_update_is_complete_if_redis_lost_writes(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    update = admin.get(session_path(session_id, "live") + "?after=99").json()
    assert [each["id"] for each in update["messages"]] == ["msg_1", "msg_2"]


def test_events_are_shown_as_stored_with_deltas_collapsed(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    claim = fake_worker.claim_turn(session_id)
    for text, before in (("one ", ""), ("two ", "one "), ("three", "one two ")):
        fake_worker.append_text(claim, text, after=before)
    response = admin.get(session_path(session_id, "events"))
    queued, started, deltas = response.context["entries"]
    assert [each["first"]["type"] for each in (queued, started, deltas)] == [
        "message.queued",
        "message.started",
        "message.delta",
    ]
    assert json.loads(queued["raw"]) == queued["first"]
    assert (deltas["count"], deltas["text"]) == (3, "one two three")
    assert deltas["first"]["seq"] + 2 == deltas["last"]["seq"]
    html = response.content.decode()
    assert re.search(r"<time>[\d-]{10} [\d:]{8}\.\d{3}</time> message.delta", html)
    assert "3 deltas in 0." in html


def test_acts_that_would_do_nothing_are_disabled(admin: Client) -> None:
    session_id = open_session()

    def disabled() -> set[str]:
        html = admin.get(session_path(session_id)).content.decode()
        return set(re.findall(r'value="([\w ]+)" disabled', html))

    assert disabled() == {"cancel", "requeue"}
    post_message(session_id)
    assert disabled() == set()
    claim = fake_worker.claim_turn(session_id)
    turns.cancel(caller=Caller.internal(session_id), message_id="msg_2")
    assert disabled() == {"cancel"}
    fake_worker.finish_turn(claim, "text", status=Status.CANCELLED)
    admin.post(
        session_path(session_id, "action"), {"session_action": "redact msg_2", "confirmed": "yes"}
    )
    assert disabled() == {"cancel", "requeue", "redact msg_2"}
    assert "disabled" in admin.get(session_path(session_id, "live")).json()["buttons"]


@pytest.mark.parametrize("query", ["?before=x", "?after=-1", "?after=" + "9" * 400, "?before=²"])
def test_invalid_number_is_not_found(admin: Client, query: str) -> None:
    assert admin.get(session_path(open_session()) + query).status_code == 404


def test_unavailable_redis_returns_503(admin: Client, settings: Settings) -> None:
    session_id = open_session()
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    store_client.cache_clear()
    for path in (LIST, session_path(session_id), session_path(session_id, "live")):
        response = admin.get(path)
        assert response.status_code == 503
        assert response["Retry-After"] == "1"
        assert "Redis is unavailable" in response.content.decode()


def test_feedback_is_shown_as_text(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    fake_worker.complete_turn(session_id, "an answer")
    feedback = Feedback(rating=Rating.DOWN, comment="<b>not so</b>")
    set_feedback(Caller.internal(session_id), "msg_2", feedback)
    html = admin.get(session_path(session_id)).content.decode()
    assert "Rated down: &lt;b&gt;not so&lt;/b&gt;" in html


def test_reasoning_is_shown_as_collapsed_text(admin: Client) -> None:
    session_id = open_session()
    post_message(session_id)
    claim = fake_worker.claim_turn(session_id)
    delta = Delta(offset=0, escaped=escape_reasoning("<b>hm</b>"))
    leases.flush([(claim.lease, delta)])
    html = admin.get(session_path(session_id)).content.decode()
    assert '<details class="reasoning"><summary>Reasoning</summary>' in html
    assert "&lt;b&gt;hm&lt;/b&gt;" in html


def test_images_of_a_message_are_named(admin: Client, settings: Settings) -> None:
    model = replace(llms.get("default"), inputs=("text", "image"))
    settings.CHAT_MODELS = {"default": model}
    session_id = open_session()
    caller = Caller.internal(session_id)
    file = files.store(caller, b"\x89PNG\r\n\x1a\n", "<b>.png")
    turns.submit(caller=caller, content="", parts=[Part(PartType.IMAGE, file_id=file.id)])
    html = admin.get(session_path(session_id)).content.decode()
    assert "image: &lt;b&gt;.png, 8\xa0bytes" in html
