"""The React component in docs/embedding.md, bundled with the packages of examples/ai-sdk."""

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from project.runner.process import ROOT
from tests.browser.test_embedding import DOCS_URL, HostSite, expect_ended, host, open_chat, send
from tests.harness.stack import Stack
from tests.integration.examples.pages import blocks

__all__ = ["host"]  # a fixture

pytestmark = pytest.mark.browser

PACKAGES = ROOT / "examples/ai-sdk/node_modules"
BUNDLER = PACKAGES / "rolldown/bin/cli.mjs"
RENDER = """
import { createRoot } from "react-dom/client";

const onReply = ({ detail }) => { document.title = detail.message.status; };
createRoot(document.querySelector("main")).render(<Chat token="%s" onReply={onReply} />);
"""


def bundle(code: str, directory: Path) -> str:
    """Return the program as one module."""
    modules = directory / "node_modules"
    (modules / "@parley").mkdir(parents=True)
    (modules / "@parley/client").symlink_to(ROOT / "clients/js")
    for name in ("react", "react-dom"):
        (modules / name).symlink_to(PACKAGES / name)
    (directory / "main.jsx").write_text(code)
    command = ["node", str(BUNDLER), "main.jsx", "--file", "main.js", "--platform", "browser"]
    command += ["--transform.define", 'process.env.NODE_ENV:"production"']
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    return (directory / "main.js").read_text()


@pytest.mark.skipif(not BUNDLER.exists(), reason="packages of examples/ai-sdk (make sdks)")
@pytest.mark.thorough
def test_react_component_of_the_docs_chats(
    tab: Page, host: HostSite, chat_stack: Stack, tmp_path: Path
) -> None:
    (component,) = (each.code for each in blocks("docs/embedding.md") if each.language == "jsx")
    code = component.replace(DOCS_URL, host.parley) + RENDER % open_chat(chat_stack, "eve")
    tab.goto(host.write("", script=bundle(code, tmp_path)))
    tab.get_by_role("button", name="Open chat").click()
    expect_ended(send(tab, "What did I say before?"), "the first message")
    expect(tab).to_have_title("completed")
