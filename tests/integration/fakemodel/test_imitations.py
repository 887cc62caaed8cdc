"""An imitated server, over HTTP."""

from tests.integration.fakemodel.server import TIMEOUT, FakeModel, request_body

PATH = "/openai/deployments/any/chat/completions"


def test_an_imitation_has_paths_keys_errors_and_headers_of_its_server() -> None:
    with FakeModel("--as", "azure", "--record") as model:
        body = request_body("/v1/chat/completions", "Hello")

        def statuses(query: str) -> list[int]:
            url = model.url + PATH + query
            without = model.session.post(url, json=body, timeout=TIMEOUT)
            authorized = model.session.post(
                url, json=body, timeout=TIMEOUT, headers={"api-key": "any"}
            )
            return [without.status_code, authorized.status_code]

        model.script({"reply": "Well done."})
        assert statuses("?api-version=1") == [401, 200]
        assert statuses("")[1] == 404
        assert model.post("/v1/completions", "Hello").status_code == 404
        calls = model.calls()
        assert [call["status"] for call in calls] == [401, 200, 401, 404]
        assert (calls[1]["format"], calls[1]["last_user_message"]) == ("chat", "Hello")
        model.session.headers["api-key"] = "any"
        error = model.post(PATH, "Hello")
        assert error.json() == {"error": {"code": "404", "message": "Resource not found"}}
