"""Images and files on the chat page: pasted, dropped, picked, sent and shown."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import requests
from playwright.sync_api import Locator, Page, expect

from project.runner.process import ROOT
from tests.browser.axe import violations
from tests.browser.chat_page import ChatPage
from tests.harness.stack import Stack

PICTURE = ROOT / "docs/images/chat-phone.png"
# Gives the browser files as a paste into the field, or as a drop.
TRANSFER = """([type, files]) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  const options = { clipboardData: transfer, dataTransfer: transfer,
    bubbles: true, cancelable: true };
  const Kind = type === "paste" ? ClipboardEvent : DragEvent;
  document.getElementById("text").dispatchEvent(new Kind(type, options));
}"""


def chips(page: Page) -> Locator:
    return page.get_by_role("list", name="Attachments").get_by_role("listitem")


def pick(page: Page, *paths: Path) -> None:
    """Choose files in the dialog that the button opens, which is pressed by the keyboard."""
    button = page.get_by_role("button", name="Attach files")
    button.focus()
    with page.expect_file_chooser() as chooser:
        button.press("Enter")
    chooser.value.set_files(list(paths))


def is_loaded(image: Locator) -> bool:
    return bool(image.evaluate("async image => (await image.decode(), image.naturalWidth > 100)"))


def test_pasted_image_is_sent_and_shown_after_a_reload(
    open_page: Callable[..., ChatPage],
    chat_stack: Stack,
    take_screenshot: Callable[[Page, str], None],
) -> None:
    chat = open_page(bypass_csp=True)  # axe needs it
    page = chat.page
    chat.field.focus()
    page.evaluate(TRANSFER, ["paste", [["cat.png", encoded(PICTURE.read_bytes())]]])
    expect(chips(page)).to_have_text(f"cat.png, {PICTURE.stat().st_size / 1000:.0f} KB\u00d7")
    chat.field.fill("What is this?")
    take_screenshot(page, "files-chips")
    assert violations(page) == []
    chat.field.press("Enter")
    expect(chips(page)).to_have_count(0)
    expect(chat.replies).to_have_attribute("aria-busy", "false")
    image = page.get_by_role("img", name="cat.png")
    assert is_loaded(image)
    assert sizes_of_attachments(chat_stack, "What is this?") == [PICTURE.stat().st_size]
    page.reload()
    assert is_loaded(image)
    take_screenshot(page, "files-sent")
    assert violations(page) == []
    with page.expect_download() as download:
        page.get_by_role("button", name="cat.png").press("Enter")
    assert download.value.suggested_filename == "cat.png"

    chat.button("Edit message").click()
    page.get_by_label("Message", exact=True).last.fill("And now?")
    page.locator("dialog").get_by_role("button", name="Send").click()
    expect(chat.user_texts).to_have_text("And now?")
    expect(chat.replies).to_have_attribute("aria-busy", "false")
    assert is_loaded(image)
    assert sizes_of_attachments(chat_stack, "And now?") == [PICTURE.stat().st_size]


def test_unsuitable_files_are_rejected_in_words(chat: ChatPage, tmp_path: Path) -> None:
    page = chat.page
    large, strange, pdf = (tmp_path / name for name in ("large.png", "a.zip", "b.pdf"))
    large.write_bytes(PICTURE.read_bytes()[:8] + bytes(180_000))
    strange.write_bytes(b"PK\0\0")
    pdf.write_bytes(b"%PDF-1.7")
    for file, error in (
        (large, "large.png is too large: 180 KB. The maximum is 130 KB."),
        (strange, "a.zip is not an image, a PDF or a text file."),
        (pdf, "This model does not read PDF files."),
    ):
        pick(page, file)
        expect(chat.error_bar).to_contain_text(error)
    expect(chips(page)).to_have_count(0)
    expect(chat.button("Send")).to_be_disabled()
    pick(page, PICTURE)
    expect(chips(page)).to_have_count(1)
    chips(page).get_by_role("button", name="Remove chat-phone.png").press("Enter")
    expect(chips(page)).to_have_count(0)
    expect(chat.field).to_be_focused()


def test_failed_upload_keeps_the_message(chat: ChatPage) -> None:
    page = chat.page
    pick(page, PICTURE)
    error = '{"error": {"code": "session_files_full", "message": "The files are too many."}}'
    page.route("**/files?*", lambda route: route.fulfill(status=400, body=error), times=1)
    chat.field.fill("Look")
    chat.button("Send").click()
    expect(chat.error_bar).to_contain_text("The files are too many.")
    expect(chips(page)).to_have_count(1)
    expect(chat.field).to_have_value("Look")
    chat.button("Try again").click()
    expect(chat.replies).to_have_attribute("aria-busy", "false")
    assert is_loaded(page.get_by_role("img", name="chat-phone.png"))


def encoded(content: bytes) -> str:
    return b64encode(content).decode()


def sizes_of_attachments(stack: Stack, text: str) -> list[int]:
    """Return the bytes of the images that the model got with a message."""
    response = requests.get(f"{stack.model.url}/__calls__", {"match": text}, timeout=10)
    return [each["bytes"] for each in response.json()["calls"][-1]["attachments"]]
