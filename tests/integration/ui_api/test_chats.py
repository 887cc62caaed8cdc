"""`/ui/chat`, called as DefaultChatTransport calls it."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import requests

from chat.domain import Scope
from chat.domain.files import to_data_url
from fakemodel.replies.compose import REASONING
from tests.harness.stack import Stack

TIMEOUT = 30
SLOW = "long [[rate=20 tokens=200]]"
PNG = b"\x89PNG\r\n\x1a\n"
IMAGE = {"type": "file", "mediaType": "image/png", "url": to_data_url("image/png", PNG)}


class Client:
    """Sends the bodies of the SDK with the credentials of one client."""

    def __init__(self, url: str, token: str, **headers: str) -> None:
        self.url = f"{url}/ui/chat"
        self.headers = {"Authorization": f"Bearer {token}", **headers}

    def call(self, method: str, path: str = "", **arguments: Any) -> requests.Response:
        url, headers = self.url + path, self.headers
        return requests.request(method, url, headers=headers, timeout=TIMEOUT, **arguments)

    def post(self, body: object, query: str = "") -> requests.Response:
        return self.call("POST", query, json=body)

    def send(self, chat_id: str, text: str = "Hello", **members: Any) -> list[Any]:
        """Send a message; return the chunks of the reply."""
        response = self.post(body_of(chat_id, text, **members))
        assert response.ok, response.text
        return chunks_of(response)

    def messages(self, chat_id: str, query: str = "") -> Any:
        return self.call("GET", f"/{chat_id}/messages{query}").json()


def body_of(chat_id: str, text: str = "Hello", **members: Any) -> dict[str, Any]:
    message = {"id": str(uuid4()), "role": "user", "parts": [{"type": "text", "text": text}]}
    return {"id": chat_id, "messages": [message], "trigger": "submit-message", **members}


def chunks_of(response: requests.Response) -> list[Any]:
    lines = [line for line in response.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def kinds_of(chunks: list[Any]) -> list[str]:
    """Return the types of chunks; those of one part's deltas once."""
    kinds = [chunk["type"] for chunk in chunks]
    return [kind for i, kind in enumerate(kinds) if kind != "text-delta" or kinds[i - 1] != kind]


def code_of(response: requests.Response) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


@pytest.fixture
def client(stack: Stack, api_key: str) -> Client:
    return Client(stack.web().url, api_key)


@pytest.fixture
def session(stack: Stack) -> dict[str, Any]:
    response = requests.post(f"{stack.web().url}/sessions", json={}, timeout=TIMEOUT)
    session: dict[str, Any] = response.json()
    return session


def test_a_stream_has_the_chunks_and_headers_of_the_sdk(client: Client) -> None:
    response = client.post(body_of("chat"))
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["content-type"] == "text/event-stream"
    chunks = chunks_of(response)
    assert kinds_of(chunks) == [
        *("start", "start-step", "text-start", "text-delta", "text-end"),
        *("finish-step", "finish"),
    ]
    assert chunks[0]["messageId"] == "msg_2"
    assert chunks[-1]["finishReason"] == "stop"
    text = "".join(chunk.get("delta", "") for chunk in chunks)
    assert client.messages("chat")[1]["parts"] == [{"type": "text", "text": text}]


def test_reasoning_is_a_part_before_the_text(client: Client) -> None:
    chunks = client.send("chat", "Hello [[reasoning]]")
    assert kinds_of([chunk for chunk in chunks if chunk["type"] != "reasoning-delta"]) == [
        *("start", "start-step", "reasoning-start", "reasoning-end"),
        *("text-start", "text-delta", "text-end", "finish-step", "finish"),
    ]
    deltas = [chunk["delta"] for chunk in chunks if chunk["type"] == "reasoning-delta"]
    assert "".join(deltas) == REASONING
    reasoning, text = client.messages("chat")[1]["parts"]
    assert reasoning == {"type": "reasoning", "text": REASONING}
    assert REASONING not in text["text"]


def test_token_of_a_session_gives_access_to_its_chat_only(
    stack: Stack, session: dict[str, Any]
) -> None:
    client = Client(stack.web().url, session["token"])
    client.send(session["id"])
    native = client.call("GET", f"/../../sessions/{session['id']}").json()
    shown = [(each["id"], each["content"]) for each in native["messages"]]
    assert shown == [
        (each["id"], each["parts"][0]["text"]) for each in client.messages(session["id"])
    ]
    assert code_of(client.post(body_of("another")))[:2] == (404, "session_not_found")
    assert client.call("GET", "/another/stream").status_code == 404


def test_users_have_chats_of_the_same_id_for_themselves(
    stack: Stack, new_key: Callable[..., str]
) -> None:
    token = new_key(scopes=(Scope.USERS, Scope.SESSIONS))
    ann, ben = (Client(stack.web().url, token, **{"Parley-User": name}) for name in ("ann", "ben"))
    ann.send("my/chat", "I am Ann.")
    assert code_of(ben.call("GET", "/my%2Fchat/messages"))[0] == 404
    ben.send("my/chat", "I am Ben.")
    assert ann.messages("my%2Fchat")[0]["parts"][0]["text"] == "I am Ann."
    other = Client(stack.web().url, new_key())
    assert other.call("GET", "/my%2Fchat/stream").status_code == 204


def test_chat_ids_are_sessions_of_the_tenant(client: Client) -> None:
    session = requests.post(
        client.url.replace("/ui/chat", "/sessions"),
        json={},
        headers=client.headers,
        timeout=TIMEOUT,
    ).json()
    client.send(session["id"])
    assert len(client.messages(session["id"])) == 2
    missing = f"/ses_{'0' * 24}"
    for method, path in (("GET", "/stream"), ("GET", "/messages"), ("POST", "/stop")):
        assert code_of(client.call(method, missing + path))[:2] == (404, "session_not_found")


def test_model_and_options_reach_the_model(client: Client) -> None:
    chunks = client.send("chat", options={"max_tokens": 2}, model="default")
    assert chunks[-1]["finishReason"] == "length"
    body = body_of("chat", options={"max_tokens": 0})
    assert code_of(client.post(body)) == (400, "invalid_request", "options.max_tokens")
    assert code_of(client.post(body_of("other", model="x")))[:2] == (400, "unknown_model")


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"id": None}, "invalid_request", "id"),
        ({"messages": []}, "invalid_request", "messages"),
        ({"message": {}}, "invalid_request", "message"),
        ({"trigger": "resume"}, "invalid_request", "trigger"),
        ({"model": 1}, "invalid_request", "model"),
        ({"options": []}, "invalid_request", "options"),
        ({"session": "x"}, "unsupported_parameter", "session"),
    ],
)
def test_invalid_requests_are_rejected(
    client: Client, change: dict[str, Any], code: str, param: str
) -> None:
    assert code_of(client.post(body_of("chat") | change)) == (400, code, param)


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"role": "assistant"}, "invalid_request", "messages[0].role"),
        ({"id": "x" * 256}, "invalid_request", "messages[0].id"),
        ({"parts": []}, "invalid_request", "messages[0].parts"),
        ({"parts": [{"type": "text"}]}, "invalid_request", "messages[0].parts[0].text"),
        ({"parts": [{"type": "audio"}]}, "unsupported_content", "messages[0].parts[0].type"),
        ({"parts": [IMAGE | {"url": "x"}]}, "invalid_request", "messages[0].parts[0].url"),
        ({"parts": [IMAGE | {"mediaType": "a/b"}]}, "unsupported_content", "parts"),
        ({"content": "x"}, "unsupported_parameter", "messages[0].content"),
    ],
)
def test_invalid_messages_are_rejected(
    client: Client, change: dict[str, Any], code: str, param: str
) -> None:
    body = body_of("chat")
    body["messages"][0].update(change)
    assert code_of(client.post(body)) == (400, code, param)


def test_model_receives_the_whole_chat(client: Client) -> None:
    for text in ["Hello"] * 14 + ["Hello [[history]]"]:
        chunks = client.send("chat", text)
    text = "".join(chunk.get("delta", "") for chunk in chunks)
    assert len(json.loads(text.rsplit("\n", 1)[-1])) == 29


def test_only_the_last_message_is_read(client: Client) -> None:
    body = body_of("chat", "The last. [[history]]")
    old = [{"role": "assistant", "anything": 1}]
    chunks = chunks_of(client.post(body | {"messages": [*old, *body["messages"]]}))
    assert "anything" not in "".join(chunk.get("delta", "") for chunk in chunks)
    message = body.pop("messages")[0]
    again = chunks_of(client.post(body | {"message": message}))
    assert again == chunks


def test_queries_are_strict(client: Client) -> None:
    assert code_of(client.post(body_of("chat"), "?ui=8")) == (400, "invalid_request", "ui")
    assert code_of(client.post(body_of("chat"), "?x=1"))[1] == "unsupported_parameter"
    client.send("chat")
    for query in ("?limit=0", "?limit=x"):
        assert client.messages("chat", query)["error"]["param"] == "limit"
    assert client.call("DELETE", "/chat/messages").headers["Allow"] == "GET"
    assert client.call("GET", "/chat/unknown").status_code == 404


def test_messages_come_in_pages(client: Client) -> None:
    for i in range(3):
        client.send("chat", f"Number {i}.")
    newest = client.messages("chat", "?limit=2")
    assert [each["id"] for each in newest] == ["msg_5", "msg_6"]
    before = client.messages("chat", "?limit=3&before=msg_5")
    assert [each["id"] for each in before] == ["msg_2", "msg_3", "msg_4"]


def test_stop_ends_all_open_turns(client: Client) -> None:
    with requests.post(
        client.url, json=body_of("chat", SLOW), headers=client.headers, stream=True, timeout=TIMEOUT
    ) as first:
        lines = first.iter_lines(decode_unicode=True)
        assert any("text-delta" in line for line in lines)
        with requests.post(
            client.url,
            json=body_of("chat", "Next"),
            headers=client.headers,
            stream=True,
            timeout=TIMEOUT,
        ) as second:
            stopped = client.call("POST", "/chat/stop").json()["stopped"]
            assert stopped == ["msg_2", "msg_4"]
            assert "abort" in second.text
        assert any('"abort"' in line for line in lines)
    kept = client.messages("chat")
    assert [each["metadata"]["status"] for each in kept[1::2]] == ["cancelled"] * 2
    assert kept[1]["parts"][0]["text"]
    assert kept[3]["parts"] == []


def test_message_ids_are_idempotency_keys(client: Client) -> None:
    body = body_of("chat")
    first = client.post(body).text
    assert client.post(body).text == first
    body["messages"][0]["parts"][0]["text"] = "Another"
    assert code_of(client.post(body))[:2] == (409, "idempotency_mismatch")
    edited = chunks_of(client.post(body | {"messageId": body["messages"][0]["id"]}))
    assert edited[0]["messageId"] == "msg_4"
    assert [each["id"] for each in client.messages("chat")] == ["msg_3", "msg_4"]


def test_regeneration_with_a_key_is_repeated_once(client: Client) -> None:
    body = body_of("chat")
    chunks_of(client.post(body))
    client.headers["Idempotency-Key"] = "a"
    again = body | {"trigger": "regenerate-message"}
    first, second = chunks_of(client.post(again)), chunks_of(client.post(again))
    assert first == second
    assert first[0]["messageId"] == "msg_4"
    client.headers["Idempotency-Key"] = "b"
    assert chunks_of(client.post(again))[0]["messageId"] == "msg_6"


def test_only_the_last_turn_can_be_edited(client: Client) -> None:
    old, new = body_of("chat", "Old"), body_of("chat", "New")
    client.post(old), client.post(new)
    old["messages"][0]["parts"][0]["text"] = "Edited"
    for own_id in (old["messages"][0]["id"], "msg_1"):
        old["messages"][0]["id"] = old["messageId"] = own_id
        assert code_of(client.post(old))[:2] == (409, "not_editable")
    again = old | {"trigger": "regenerate-message", "messageId": None}
    assert code_of(client.post(again))[:2] == (409, "not_regenerable")
    new["messages"][0] |= {"id": "msg_3", "parts": [{"type": "text", "text": "Edited"}]}
    assert chunks_of(client.post(new | {"messageId": "msg_3"}))[0]["messageId"] == "msg_6"


def test_image_is_stored_listed_and_kept_by_an_edit(stack: Stack, client: Client) -> None:
    text = {"type": "text", "text": f"Look {uuid4()}"}
    body = body_of("chat")
    body["messages"][0]["parts"] = [IMAGE | {"filename": "cat.png"}, text]
    assert client.post(body).ok
    image = client.messages("chat")[0]["parts"][0]
    assert (image["mediaType"], image["filename"]) == ("image/png", "cat.png")
    file = requests.get(stack.web().url + image["url"], headers=client.headers, timeout=TIMEOUT)
    assert file.content == PNG

    again = client.post(body | {"messageId": body["messages"][0]["id"]})
    assert len(client.messages("chat")) == 2  # joined
    body["messages"][0]["parts"] = [image, text | {"text": "Edited"}]
    edited = client.post(body | {"messageId": body["messages"][0]["id"]})
    assert chunks_of(again)[0] != chunks_of(edited)[0]
    assert client.messages("chat")[0]["parts"] == [image, text | {"text": "Edited"}]
