"""OpenAI's SDK for Node, with its tests in `node/`, and the examples in JavaScript."""

from project.runner.process import ROOT
from tests.integration.openai_api.node_sdk import needs_node, run_node


@needs_node
def test_node_sdk_works_unchanged(base_url: str, api_key: str) -> None:
    result = run_node(
        "--test",
        "--test-timeout=60000",
        "sdk.test.js",
        base_url=base_url,
        api_key=api_key,
        check=False,
    )
    assert result.returncode == 0, result.stdout


@needs_node
def test_node_examples_print_the_reply(base_url: str, api_key: str) -> None:
    text = (ROOT / "docs/openai.md").read_text()
    code = text.partition("```js\n")[2].partition("```")[0]
    code = code.replace("http://127.0.0.1:8000/v1", base_url)
    example = (ROOT / "examples/openai_background.mjs").read_text()
    for program, output in ((code, "What can you do?"), (example, "resp_")):
        result = run_node(
            "--input-type=module", "--eval", program, base_url=base_url, api_key=api_key
        )
        assert output in result.stdout or "list" in result.stdout
