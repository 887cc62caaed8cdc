"""The word check of `make lint` finds banned words where people read them, and nowhere else."""

import subprocess
import sys
from functools import cache

import pytest

from scripts import check_words

WORDS = {"anew": "again", "hung up": "disconnected", "bear": "carry", "as it is": "unchanged"}
ALLOWED = {"as soon as it is": ""}


@cache
def scope() -> set[str]:
    paths = check_words.files_in_scope([])
    return {path.relative_to(check_words.ROOT).as_posix() for path in paths}


def hits(name: str, text: str) -> list[tuple[int, str, str]]:
    prose = check_words.prose_of(name, text)
    return sorted(check_words.find_hits(prose, WORDS | ALLOWED))


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("page.md", "# Title\n\nWrites it Anew.\n", 3),
        ("page.md", "```sh\nanew\n```\nanew\n", 4),
        ("page.md", "Run `make\nanew` and anew\n", 2),
        ("page.html", "<p>\nanew</p>", 2),
        ("words.js", 'say("anew");', 1),
        ("Makefile", "run: ## anew", 1),
        ("claim.lua", "local anew = 1 -- anew\n", 1),
        ("tasks.py", "x = 1\n# anew\n", 2),
        ("tasks.py", '"""Title.\n\nanew\n"""\n', 3),
        ("tasks.py", "x = f'{1} anew'\n", 1),
        ("tasks.py", "x = b'anew'\n", 1),
        ("tests/test_x.py", "x = 'anew'\n# anew\n", 2),
        ("tests/test_x.py", "def test_x():\n    '''anew'''\n", 2),
        ("icon.svg", "<svg>\n<title>anew</title></svg>", 2),
        ("page.css", "/* anew */", 1),
    ],
)
def test_a_banned_word_is_found(name: str, text: str, line: int) -> None:
    assert hits(name, text) == [(line, "anew", "again")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.md", "a\n\n    ```py\n    anew\n    ```\n\n`anew` in `x\nanew`"),
        ("claim.lua", "local anew = 'anew'\n"),
        ("tasks.py", "anew = 1\n"),
        ("tasks.py", "x = {'ANEW': 1}\n"),
        ("page.html", "bearer, forbear, bear_arms"),
        ("page.html", "as soon as it is ready"),
    ],
)
def test_code_and_other_words_are_ignored(name: str, text: str) -> None:
    assert hits(name, text) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.md", "It is hung\nup.\n"),
        ("tasks.py", "# It is hung\n# up.\n"),
        ("tasks.py", "x = ('hung '\n 'up')\n"),
        ("claim.lua", "-- hung\n-- up\n"),
    ],
)
def test_a_phrase_is_found_across_a_line_break(name: str, text: str) -> None:
    assert [phrase for _, phrase, _ in hits(name, text)] == ["hung up"]


def test_a_longer_allowed_phrase_does_not_hide_another_hit() -> None:
    assert hits("page.html", "as soon as it is, as it is") == [(1, "as it is", "unchanged")]


def test_the_word_list_names_a_replacement_for_each_word() -> None:
    words = check_words.read_words()
    assert words["anew"] == "again"
    assert {phrase for phrase in words if not words[phrase]} == {
        f"as {word} as it is" for word in ("soon", "long", "far")
    }
    assert all(phrase == phrase.lower() for phrase in words)


@pytest.mark.parametrize(
    "word", ["Bearer", "gateway", "aggregate", "delegate", "planes", "header", "newsletter"]
)
def test_technical_terms_pass(word: str) -> None:
    assert not check_words.compile_words(check_words.read_words()).search(word)


@pytest.mark.parametrize(
    "path",
    [
        *("README.md", "CHANGELOG.md", "docs/index.md", "docs/adr/README.md", ".env.example"),
        *("Makefile", "manage.py", "celery_app.py", "chat/store/lua/claim.lua"),
        *("chat/templates/chat/page.html", "chat/static/chat/reply_status.js"),
        *("chat/static/chat/page.css", "docs/images/message.svg", "tests/rows.py", "bench/cpu.py"),
        *("checks/pages.py", "clients/js/README.md", ".github/workflows/ci.yml"),
        *("examples/openai_background.mjs", "examples/ai-sdk/src/main.jsx"),
        "examples/django_project/shop/templates/support.html",
    ],
)
def test_user_visible_files_are_in_scope(path: str) -> None:
    assert path in scope()


def test_foreign_code_is_out_of_scope() -> None:
    assert not [name for name in scope() if "/vendor/" in name or "/migrations/" in name]


def test_the_command_checks_the_paths_it_is_given() -> None:
    done = subprocess.run(
        [sys.executable, check_words.__file__, "LICENSE", "tests/harness"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
