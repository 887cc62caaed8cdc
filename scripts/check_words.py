#!/usr/bin/env python3
"""Find words that users should not have to read, and name the replacement for each.

    scripts/check_words.py [path ...]

Without paths it checks everything in SCOPE. `banned_words.txt` holds the words.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORD_LIST = Path(__file__).with_name("banned_words.txt")
SCOPE = (
    "*.md",
    ".env.example",
    "Dockerfile",
    "Makefile",
    "*.py",
    "*.toml",
    "*.yml",
    "docs/**/*.md",
    "deploy/**/*",
    ".github/**/*.yml",
    "examples/*.*",
    "examples/ai-sdk/*.html",
    "examples/ai-sdk/*.js",
    "examples/ai-sdk/src/*",
    "examples/django_project/**/*.py",
    "examples/django_project/**/*.html",
    "scripts/*",
    ".ci/*",
    "chat/**/*.py",
    "project/**/*.py",
    "parley_client/**/*.py",
    "fakemodel/**/*.py",
    "checks/*.py",
    "tests/**/*.py",
    "bench/**/*.py",
    "docs/**/*.svg",
    "chat/**/*.css",
    "chat/**/*.svg",
    "chat/**/*.lua",
    "chat/**/*.html",
    "chat/**/*.js",
    "clients/js/*.md",
    "clients/js/*.js",
    "clients/js/src/**/*.ts",
    "clients/js/test/*.js",
)
# Libraries and built files; their sources are checked.
NOT_OURS = re.compile(
    r"/(vendor|node_modules|migrations|__pycache__)/|/banned_words.txt$"
    r"|/static/chat/(client|embed/parley-chat)\.js$"
)

# Code in Markdown: fenced blocks, and spans between backticks.
MARKDOWN_CODE = re.compile(r"^ *```.*?^ *```|`[^`]*`", re.MULTILINE | re.DOTALL)
LUA_COMMENT = re.compile(r"--(.*)")
# What may stand between two words of a phrase: a line break, with the mark of a comment.
BETWEEN = r"[\s#*/-]+"

# A piece of text and the number of its first line.
Prose = tuple[int, str]


def read_words(path: Path = WORD_LIST) -> dict[str, str]:
    """Return phrase -> replacement; a phrase without a replacement is allowed."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    pairs = (line.partition("->") for line in lines if line)
    return {phrase.strip(): replacement.strip() for phrase, _, replacement in pairs}


def compile_words(words: dict[str, str], between: str = BETWEEN) -> re.Pattern[str]:
    """Return a pattern that finds each phrase as whole words, the longest first."""
    phrases = sorted(words, key=len, reverse=True)
    choices = (between.join(map(re.escape, phrase.split())) for phrase in phrases)
    return re.compile(rf"\b(?:{'|'.join(choices)})\b", re.IGNORECASE)


def find_hits(prose: Iterator[Prose], words: dict[str, str]) -> Iterator[tuple[int, str, str]]:
    """Yield line, phrase and replacement of each banned phrase."""
    pattern = compile_words(words)
    for first, text in prose:
        for match in pattern.finditer(text):
            phrase = " ".join(re.split(BETWEEN, match[0].lower()))
            if words[phrase]:
                yield first + text.count("\n", 0, match.start()), phrase, words[phrase]


def prose_of(name: str, text: str) -> Iterator[Prose]:
    """Yield the parts of a file that people read."""
    if name.endswith(".md"):
        yield 1, MARKDOWN_CODE.sub(lambda code: "\n" * code[0].count("\n"), text)
    elif name.endswith(".py"):
        yield from python_docstrings(text) if name.startswith("tests/") else python_strings(text)
        yield 1, python_comments(text)
    elif name.endswith(".lua"):
        yield 1, "\n".join("".join(LUA_COMMENT.findall(line)) for line in text.splitlines())
    else:
        yield 1, text


def python_strings(text: str) -> Iterator[Prose]:
    """Yield string literals: docstrings, messages, log lines and parts of f-strings.

    Names of constants, such as "MAX_WAIT", are not prose.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if not (value.isidentifier() and value.isupper()):
                yield node.lineno, value


def python_docstrings(text: str) -> Iterator[Prose]:
    """Yield docstrings only: the other strings of tests are data."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.lineno, str(node.value.value)


def python_comments(text: str) -> str:
    """Return the comments of a module, each in its line."""
    lines = [""] * (text.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = token.string
    return "\n".join(lines)


def files_in_scope(paths: list[str]) -> list[Path]:
    """Return the files to check, below these paths if there are any."""
    below = [Path(path).resolve() for path in paths] or [ROOT]
    found = {path for pattern in SCOPE for path in ROOT.glob(pattern) if path.is_file()}
    return sorted(
        path
        for path in found
        if not NOT_OURS.search(path.as_posix())
        and any(path.is_relative_to(directory) for directory in below)
    )


def check(paths: list[str]) -> Iterator[str]:
    """Yield a line per hit: `file:line: "phrase": write "replacement"`."""
    words = read_words()
    # Also matches what quotes and escapes separate. Most files have no match and are not parsed.
    anywhere = compile_words(words, between=r"\W+")
    for path in files_in_scope(paths):
        text = path.read_text()
        if not anywhere.search(text.replace("\\n", "\n")):
            continue
        name = path.relative_to(ROOT).as_posix()
        for line, phrase, replacement in sorted(find_hits(prose_of(name, text), words)):
            yield f'{name}:{line}: "{phrase}": write "{replacement}"'


if __name__ == "__main__":
    sys.exit("\n".join(check(sys.argv[1:])) or 0)
