"""Sends the examples in the OpenAPI schema, and compares the responses."""

from collections.abc import Iterable, Iterator
from typing import Any

import requests

from tests.integration.examples.event_streams import Event, mask, normalise, read_events

TIMEOUT = 60  # seconds
EVENT_STREAM = "text/event-stream"
FILE = "application/octet-stream"
# The name of an example that is the only one of its operation.
ONLY = ""


class Examples:
    """A client that sends the examples, and remembers which are left.

    ids: values of the path parameters.
    """

    def __init__(self, url: str, headers: dict[str, str], ids: dict[str, str]) -> None:
        self.url = url
        self.headers = headers
        self.ids = ids
        schema = requests.get(f"{url}/schema", timeout=TIMEOUT).json()
        self._operations = {
            operation["operationId"]: (method, path, operation)
            for path, operations in schema["paths"].items()
            for method, operation in operations.items()
        }
        self.error = schema["components"]["schemas"]["Error"]["example"]
        # Requests by name, and responses by status, media type and name.
        self.left = {
            (name, *each)
            for name, (_, _, operation) in self._operations.items()
            for each in [*documented_requests(operation), *documented_responses(operation)]
        }

    def get(self, path: str) -> Any:
        """Return JSON that is not an example."""
        return requests.get(self.url + path, headers=self.headers, timeout=TIMEOUT).json()

    def post(self, path: str, **body: object) -> Any:
        """Send a request that is not an example; return its JSON."""
        url = self.url + path
        response = requests.post(url, json=body, headers=self.headers, timeout=TIMEOUT)
        assert response.ok, response.text
        return response.json()

    def send(self, name: str, example: str = ONLY, **changes: str) -> Any:
        """Send an example of an operation; compare the response, and return its JSON.

        changes: values of parameters instead of those of the example.
        """
        return self.compare(name, self.request(name, example, **changes), example)

    def request(self, name: str, example: str = ONLY, **changes: str) -> requests.Response:
        """Send an example; return its response, whose body may not have arrived."""
        method, path, operation = self._operations[name]
        query = {
            each["name"]: value_of(each, example)
            for each in operation.get("parameters", ())
            if each["in"] == "query"
        }
        content = operation.get("requestBody", {}).get("content", {})
        bodies = {media_type: value_of(each, example) for media_type, each in content.items()}
        self.left.discard((name, example))
        return requests.request(
            method,
            self.url + path.format_map(self.ids | changes),
            params={
                key: as_text(value) for key, value in (query | changes).items() if key in query
            },
            json=bodies.get("application/json"),
            data=bodies.get(FILE),
            headers=self.headers,
            timeout=TIMEOUT,
            stream=True,
        )

    def compare(self, name: str, response: requests.Response, example: str = ONLY) -> Any:
        """Compare a response with that of the example; return its JSON."""
        with response:
            _, _, operation = self._operations[name]
            status = str(response.status_code)
            content = operation["responses"][status].get("content", {})
            media_type = response.headers.get("Content-Type", "").partition(";")[0]
            documented = values_of(content.get(media_type, {}))
            self.left.discard((name, status))
            if not documented:
                assert not content or is_file(content[media_type])
                return None
            key = example if example in documented else ONLY
            self.left.discard((name, status, media_type, key))
            if media_type == EVENT_STREAM:
                compare_streams(documented[key], response)
                return None
            found = mask(response.json())
            assert found == mask(documented[key]), found
            return response.json()


def compare_streams(documented: str, response: requests.Response) -> None:
    """Compare a stream with the documented one; the stream may go on after that."""
    expected = list(read_events(documented.splitlines()))
    received = read_events(map(bytes.decode, response.iter_lines()))
    found = normalise(until(received, expected[-1]))
    assert found == normalise(expected), found


def until(events: Iterable[Event], last: Event) -> Iterator[Event]:
    """Yield the events up to the first that is like the last one."""
    for event in events:
        yield event
        if kind_of(event) == kind_of(last):
            return


def kind_of(event: Event) -> Any:
    return event["event"] if "event" in event else event.get("data")


def documented_requests(operation: dict[str, Any]) -> Iterator[tuple[str]]:
    """Yield the names of an operation's requests."""
    contents = operation.get("requestBody", {}).get("content", {}).values()
    parameters = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
    names = {name for each in [*contents, *parameters] for name in values_of(each)}
    yield from ((name,) for name in names - {ONLY} or {ONLY})


def documented_responses(operation: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield status, media type and name of an operation's responses without errors."""
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            yield (status,)
            for media_type, content in response.get("content", {}).items():
                yield from ((status, media_type, name) for name in values_of(content))


def values_of(described: dict[str, Any]) -> dict[str, Any]:
    """Return the examples of a parameter or media type, by name."""
    if "example" in described:
        return {ONLY: described["example"]}
    return {name: each["value"] for name, each in described.get("examples", {}).items()}


def value_of(described: dict[str, Any], example: str) -> Any:
    """Return what a parameter or media type has in an example; None if it is left out."""
    values = values_of(described)
    return values.get(example, values.get(ONLY))


def as_text(value: Any) -> Any:
    """Return a query parameter as clients write it."""
    return str(value).lower() if isinstance(value, bool) else value


def is_file(content: dict[str, Any]) -> bool:
    return bool(content["schema"].get("format") == "binary")
