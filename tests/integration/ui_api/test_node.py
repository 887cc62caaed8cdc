"""The AI SDK in its versions 5, 6 and 7, with its tests in `node/`."""

from tests.harness.stack import Stack
from tests.integration.ui_api.node_sdk import needs_node, start_node


@needs_node
def test_ai_sdk_works_unchanged(stack: Stack, api_key: str) -> None:
    with start_node(
        "--test", "--test-timeout=60000", "sdk.test.js", url=stack.web().url, token=api_key
    ) as node:
        output, _ = node.communicate(timeout=120)
    assert node.returncode == 0, output
