"""The pages of a session: what they tell, in pages, and that nothing on them comes alive."""

import json
from html.parser import HTMLParser

import pytest
from django.test import Client
from pytest_django import Settings

from chat.admin import views
from chat.conversation import sessions
from chat.conversation.messages import set_feedback
from chat.domain import Caller, Feedback, Rating
from chat.store.client import client as store_client
from tests.harness.ports import free_port
from tests.integration.admin.scene import LIST, asked, opened, page
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


class Live(HTMLParser):
    """Collects what of a page could act: scripts with text, handlers, foreign addresses."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag in {"iframe", "svg", "object", "embed"} and "evil" in str(told):
            self.found.append(tag)
        for name, value in told.items():
            is_address = name in {"src", "href", "action", "formaction"}
            if name.startswith("on") or (is_address and ("javascript:" in value or "//" in value)):
                self.found.append(f"{tag} {name}={value}")
        if tag == "script" and not told.get("src"):
            self.found.append("script")


@pytest.mark.security("S30")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_clients_and_models_write_stays_text(admin: Client, payload: str) -> None:
    session_id = opened(payload, system_prompt=payload)
    asked(session_id, payload)
    fake_worker.complete_turn(session_id, payload)
    places = [LIST, *(page(session_id, each) for each in ("change", "events", "delete", "history"))]
    for path in places:
        answer = admin.get(path)
        html = answer.content.decode()
        assert Live(html).found == [], path
        assert payload not in html or "<" not in payload
        assert "script-src" not in answer["Content-Security-Policy"]
        assert "default-src 'self'" in answer["Content-Security-Policy"]
    confirming = admin.post(page(session_id, "action"), {"session_action": "expire"})
    assert Live(confirming.content.decode()).found == []
    told = admin.get(page(session_id, "live")).json()
    assert Live("".join(each["html"] for each in told["messages"])).found == []


@pytest.mark.security("S30")
def test_the_parser_of_this_test_finds_what_is_live() -> None:
    assert [bool(Live(payload).found) for payload in PAYLOADS[:5]] == [True] * 5


def test_a_conversation_tells_all_of_each_turn(admin: Client) -> None:
    session_id = opened("a name", system_prompt="be brief")
    asked(session_id, "a question")
    fake_worker.complete_turn(session_id, "an answer")
    asked(session_id, "one that waits")
    html = admin.get(page(session_id)).content.decode()
    for part in ("a name", "be brief", "a question", "an answer", "attempt 1", "generated in",
                 "queued for", "stop", "one that waits", "Waiting: queue, position 0"):  # fmt: skip
        assert part in html, part


def test_a_long_conversation_is_shown_in_pages(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MESSAGES_PER_PAGE", 4)
    session_id = opened()
    for n in range(5):
        asked(session_id, f"question {n}")
        fake_worker.complete_turn(session_id, f"answer {n}")

    def names(query: str = "") -> list[str]:
        found = admin.get(page(session_id) + query).context["conversation"]
        return [message.message_id for message in found]

    assert names() == ["msg_7", "msg_8", "msg_9", "msg_10"]
    assert names("?before=7") == ["msg_3", "msg_4", "msg_5", "msg_6"]
    assert names("?before=3") == ["msg_1", "msg_2"]
    assert names("?after=2") == ["msg_3", "msg_4", "msg_5", "msg_6"]
    first = admin.get(page(session_id) + "?before=3").content.decode()
    assert "Newer messages" in first
    assert 'id="older" class="paging" hidden' in first
    assert "live.js" not in first


def test_the_live_tail_tells_only_what_has_changed(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "a question")
    fake_worker.complete_turn(session_id, "an answer")
    asked(session_id, "another")
    claim = fake_worker.claim_turn(session_id)
    seq = sessions.read(Caller(session_id=session_id)).seq
    path = page(session_id, "live")
    unchanged = admin.get(f"{path}?after={seq}").json()
    assert unchanged["seq"] == seq
    assert "messages" not in unchanged
    fake_worker.append_text(claim, "half a rep")
    told = admin.get(f"{path}?after={seq}").json()
    assert [each["id"] for each in told["messages"]] == ["msg_4"]
    assert "half a rep" in told["messages"][0]["html"]
    assert "running" in told["facts"]
    fake_worker.finish_turn(claim, "ly", after="half a rep")
    done = admin.get(f"{path}?after={told['seq']}").json()
    assert "half a reply" in done["messages"][0]["html"]
    assert "idle" in done["facts"]


def test_the_live_tail_is_told_what_there_is_after_a_reset(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "a question")
    fake_worker.complete_turn(session_id, "an answer")
    path = page(session_id, "live")
    seq = admin.get(path).json()["seq"]
    sessions.reset(Caller(session_id=session_id))
    told = admin.get(f"{path}?after={seq}").json()
    assert (told["seqs"], told["messages"], told["older"]) == ([], [], None)
    asked(session_id, "another question")
    told = admin.get(f"{path}?after={told['seq']}").json()
    assert [message_id for message_id, _ in told["seqs"]] == ["msg_3", "msg_4"]


def test_the_live_tail_is_told_of_all_that_it_shows_and_of_all_places(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MESSAGES_PER_PAGE", 4)
    session_id = opened()
    for n in range(4):
        asked(session_id, f"question {n}")
    path = page(session_id, "live")
    seq = admin.get(path).json()["seq"]
    fake_worker.complete_turn(session_id, "an answer")
    told = admin.get(f"{path}?after={seq}").json()
    assert [message_id for message_id, _ in told["seqs"]] == ["msg_5", "msg_6", "msg_7", "msg_8"]
    assert told["older"] == 5
    assert [each["id"] for each in told["messages"]] == ["msg_6", "msg_8"]
    assert "position 1" in told["messages"][0]["html"]


def test_the_live_tail_is_told_all_when_redis_is_behind_it(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "a question")
    told = admin.get(page(session_id, "live") + "?after=99").json()
    assert [each["id"] for each in told["messages"]] == ["msg_1", "msg_2"]


def test_raw_events_are_shown_as_they_are_kept(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "a question")
    answer = admin.get(page(session_id, "events"))
    ((event, raw),) = answer.context["events"]
    assert event["type"] == "message.queued"
    assert json.loads(raw) == event


@pytest.mark.parametrize("query", ["?before=x", "?after=-1", "?after=" + "9" * 400, "?before=²"])
def test_a_number_that_is_none_is_not_found(admin: Client, query: str) -> None:
    assert admin.get(page(opened()) + query).status_code == 404


def test_a_redis_that_is_down_is_told(admin: Client, settings: Settings) -> None:
    session_id = opened()
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    store_client.cache_clear()
    for path in (LIST, page(session_id), page(session_id, "live")):
        answer = admin.get(path)
        assert answer.status_code == 503
        assert answer["Retry-After"] == "1"
        assert "Redis is unavailable" in answer.content.decode()


def test_feedback_is_shown_as_text(admin: Client) -> None:
    session_id = opened()
    asked(session_id, "a question")
    fake_worker.complete_turn(session_id, "an answer")
    feedback = Feedback(rating=Rating.DOWN, comment="<b>not so</b>")
    set_feedback(Caller(session_id=session_id), "msg_2", feedback)
    shown = admin.get(page(session_id)).content.decode()
    assert "Rated down: &lt;b&gt;not so&lt;/b&gt;" in shown
