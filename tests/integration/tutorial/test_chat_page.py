"""The tutorial's own page shows the replies, with the changes that docs/tutorials.md suggests."""

from project.runner.process import ROOT
from tests.integration.tutorial.chat_page import APPEND, APPEND_TO_SHOWN, PAUSE, ChatPage
from tests.integration.tutorial.client import TutorialClient


def human(text: str) -> tuple[str, str]:
    return "human", f"Human: {text}"


def bot(text: str) -> tuple[str, str]:
    return "bot", f"Bot: echo: {text}"


def talk(page: ChatPage, *texts: str) -> None:
    """Send each text when the reply to the one before has arrived."""
    for text in texts:
        page.press_send(text)
        page.receive()


def test_published_page_hides_every_other_reply(ada: TutorialClient) -> None:
    with ada.connect() as socket:
        page = ChatPage(ada, socket)
        talk(page, "1", "2", "3", "4")
        assert page.bubbles == [
            *(human("1"), human("2"), bot("2"), human("3"), human("4"), bot("4"))
        ]
        page.press_send("")
        talk(page, "5")
        assert page.bubbles[-1] == bot("5")
    with ada.connect() as socket:
        reloaded = ChatPage(ada, socket).bubbles
        assert reloaded == [line for text in "12345" for line in (human(text), bot(text))]


def test_page_without_its_pause_shows_every_reply(ada: TutorialClient) -> None:
    with ada.connect() as socket:
        page = ChatPage(ada, socket, has_pause=False)
        talk(page, "1", "2", "3")
        assert page.bubbles == [line for text in "123" for line in (human(text), bot(text))]


def test_page_that_appends_shows_replies_in_quick_succession(ada: TutorialClient) -> None:
    shown = {}
    for appends in (False, True):
        ada.open_session()
        with ada.connect() as socket:
            page = ChatPage(ada, socket, has_pause=False, appends_to_shown=appends)
            page.press_send("1 [[latency=0.2]]")
            page.press_send("2")
            page.receive()
            page.receive()
            shown[appends] = [text for speaker, text in page.bubbles if speaker == "bot"]
    assert shown == {
        False: ["Bot: echo: 2"],
        True: ["Bot: echo: 1 [[latency=0.2]]", "Bot: echo: 2"],
    }


def test_docs_name_the_lines_to_change() -> None:
    page = (ROOT / "docs" / "tutorials.md").read_text()
    diff = [line[1:].strip() for line in page.splitlines() if line[:1] in {"-", "+"}]
    assert diff == [PAUSE, APPEND, APPEND_TO_SHOWN]
