"""The source of a Lua script: the script, and what it uses of the files that it includes.

Redis creates all functions and variables of a script again at each call, and copies all of its
keys. So what a script does not use is left out, and a function that only one other function uses
is created when that one is called.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

INCLUDE = re.compile(r"^-- include: (.+)$", re.MULTILINE)
# Lines without code.
NO_CODE = re.compile(r"^ *(?:--.*)?\n", re.MULTILINE)
# Starts of statements at the top level; only their further lines are indented, or close a bracket.
STATEMENT = re.compile(r"^(?!end\b|[ })])", re.MULTILINE)
LOCAL = re.compile(r"local (?:function )?(\w+(?:,\s*\w+)*)")
FUNCTION = re.compile(r"(local function \w+\(([^)]*)\))")
NAME = re.compile(r"[A-Za-z_]\w*")
# The names of a session's keys, see `lua/lib/session_keys.lua`.
SESSION_KEYS = re.compile(r"^local (SESSION,[\w,\s]*) = unpack\(KEYS\)$", re.MULTILINE)


@dataclass(slots=True)
class Statement:
    """A statement at the top level, or all code of a script between its includes.

    Each word of the code counts as a use, even in a string or as the name of a field.
    """

    code: str
    is_library: bool
    names: frozenset[str] = frozenset()  # of what a library declares
    # The beginning of a function, up to its parameters; '' for other statements.
    head: str = ""
    parameters: frozenset[str] = frozenset()
    own_words: frozenset[str] = frozenset()
    nested: "list[Statement]" = field(default_factory=list)

    def __post_init__(self) -> None:
        self.own_words = frozenset(NAME.findall(self.code))
        if self.is_library and (declared := LOCAL.match(self.code)):
            self.names = frozenset(NAME.findall(declared[1]))
        if self.is_library and (function := FUNCTION.match(self.code)):
            self.head, self.parameters = function[1], frozenset(NAME.findall(function[2]))

    @property
    def words(self) -> frozenset[str]:
        return self.own_words.union(*(each.words for each in self.nested))

    def __str__(self) -> str:
        if not self.nested:
            return self.code
        nested = "".join(map(str, self.nested))
        return f"{self.head}\n{nested}{self.code.removeprefix(self.head).lstrip()}"


def assemble(directory: Path, name: str) -> tuple[str, tuple[int, ...] | None]:
    """Return the source of `<directory>/<name>.lua`, and what `select_keys` says of its keys."""
    shebang, _, body = (directory / f"{name}.lua").read_text().partition("\n")
    statements = used_statements(list(read_statements(body, directory / "lib")))
    if any(SESSION_KEYS.match(each.code) for each in statements):  # others may have long loops
        statements = nest_functions(statements)
    return select_keys("".join(map(str, (f"{shebang}\n", *statements))))


def read_statements(
    text: str, library: Path, included: set[str] | None = None
) -> Iterator[Statement]:
    """Yield the statements of a text, with those of each included file in place of its name.

    A file of the library is a text as well; its statements come once.
    """
    is_library = included is not None
    included = set() if included is None else included
    parts = INCLUDE.split(text)
    for code, names in zip_longest(parts[::2], parts[1::2], fillvalue=""):
        code_lines = NO_CODE.sub("", code)
        for statement in STATEMENT.split(code_lines) if is_library else [code_lines]:
            if statement:
                yield Statement(statement, is_library)
        for name in names.split():
            if name not in included:
                included.add(name)
                file = (library / f"{name}.lua").read_text()
                yield from read_statements(file, library, included)


def used_statements(statements: Sequence[Statement]) -> list[Statement]:
    """Return the statements without the declarations of libraries that nothing uses.

    A statement sees only the locals before it, so one pass from the end finds all that are used.
    """
    words: set[str] = set()
    used = []
    for each in reversed(statements):
        if not each.names or each.names & words:
            words |= each.own_words
            used.append(each)
    return used[::-1]


def nest_functions(statements: Sequence[Statement]) -> list[Statement]:
    """Move each function that only one other function uses to the beginning of that one."""
    nested = list(statements)
    for function in reversed(statements):
        if not function.head:
            continue
        after = nested[nested.index(function) + 1 :]
        users = [each for each in after if function.names & each.words]
        between = after[: after.index(users[0])]
        if len(users) == 1 and _can_nest(function, users[0], between):
            nested.remove(function)
            _nest(function, users[0])
    return nested


def _can_nest(function: Statement, target: Statement, skipped: Sequence[Statement] = ()) -> bool:
    """Return whether the function means the same at the beginning of the target, another function.

    skipped: statements between both, whose names the function would see there.
    """
    names = target.parameters.union(*(each.names for each in skipped))
    return bool(target.head) and not names & (function.words | function.names)


def _nest(function: Statement, target: Statement) -> None:
    """Add the function to the target, or to the function in it that alone uses it."""
    users = [each for each in target.nested if function.names & each.words]
    if len(users) == 1 and not function.names & target.own_words and _can_nest(function, users[0]):
        _nest(function, users[0])
    else:
        target.nested.insert(0, function)


def select_keys(code: str) -> tuple[str, tuple[int, ...] | None]:
    """Return the code with the names of only those session keys that it uses, and their positions.

    The positions are None if the code takes all keys: it does not act on a session, or it has
    further keys, whose numbers would change.
    """
    declared = SESSION_KEYS.search(code)
    if not declared or NAME.findall(code).count("KEYS") > 1:
        return code, None
    names = NAME.findall(declared[1])
    words = set(NAME.findall(SESSION_KEYS.sub("", code)))
    positions = tuple(i for i, name in enumerate(names) if name in words)
    selected = f"local {', '.join(names[i] for i in positions)} = unpack(KEYS)"
    return SESSION_KEYS.sub(selected, code), positions
