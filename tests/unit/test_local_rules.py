"""Rules of this project that ruff and bandit do not know, held against its source."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from project.runner.process import ROOT

SOURCES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text())
    for folder in ("chat", "fakemodel", "project", "parley_client")
    for path in sorted((ROOT / folder).rglob("*.py"))
}

pytestmark = pytest.mark.security("S42")


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call with the name of what is called, as far as it is spelled."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def is_formatted(node: ast.expr) -> bool:
    """Whether a text is put together where it stands, instead of by who takes it."""
    if isinstance(node, ast.JoinedStr):
        return True
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add)


def unsafe_markup(tree: ast.AST) -> Iterator[int]:
    """HTML that nobody escapes."""
    for name, call in calls(tree):
        last = name.rpartition(".")[2]
        if last in {"mark_safe", "SafeString", "SafeText"}:
            yield call.lineno
        if last == "format_html" and (not call.args or not isinstance(call.args[0], ast.Constant)):
            yield call.lineno


def code_from_data(tree: ast.AST) -> Iterator[int]:
    """Data that is run: code, pickles, YAML's own objects, a shell."""
    run = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
    loads = {"pickle", "marshal", "shelve", "dill", "jsonpickle"}
    for name, call in calls(tree):
        is_shell = any(each.arg == "shell" for each in call.keywords)
        if name in run or name.partition(".")[0] in loads or name == "yaml.load" or is_shell:
            yield call.lineno


def open_verification(tree: ast.AST) -> Iterator[int]:
    """Certificates that are not looked at by what the code, not a setting, says."""
    for name, call in calls(tree):
        off = any(
            each.arg == "verify" and ast.unparse(each.value) == "False" for each in call.keywords
        )
        if off or name == "ssl._create_unverified_context":
            yield call.lineno


def compared_secrets(tree: ast.AST) -> Iterator[int]:
    """Secrets compared in a time that tells how much of them was right."""
    secret = ("token", "secret", "password", "signature", "digest")
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            sides = [node.left, *node.comparators]
            named = [ast.unparse(side).lower() for side in sides if not _is_plain(side)]
            if len(named) == len(sides) and any(each.endswith(secret) for each in named):
                yield node.lineno


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant)


def formatted_scripts(tree: ast.AST) -> Iterator[int]:
    """Redis scripts and SQL put together out of texts."""
    takers = {"eval", "raw", "extra", "register_script", "execute", "RawSQL"}
    for name, call in calls(tree):
        if name.rpartition(".")[2] in takers and call.args and is_formatted(call.args[0]):
            yield call.lineno


def formatted_logs(tree: ast.AST) -> Iterator[int]:
    """Lines of logs put together before the logger can see to what stands in them."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    for name, call in calls(tree):
        before, _, last = name.rpartition(".")
        if before.endswith("logger") and last in levels and is_formatted(call.args[0]):
            yield call.lineno


def open_doors(tree: ast.AST) -> Iterator[int]:
    """Views without CSRF protection or framing protection."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in {"csrf_exempt", "xframe_options_exempt"}:
            yield node.lineno


# Rule -> what it must find.
RULES: dict[Callable[[ast.AST], Iterator[int]], str] = {
    unsafe_markup: "mark_safe(f'<b>{name}</b>')",
    code_from_data: "subprocess.run(line, shell=True)",
    open_verification: "requests.get(url, verify=False)",
    compared_secrets: "given_token == self.token",
    formatted_scripts: "client.eval(f'return {name}')",
    formatted_logs: "logger.info(f'{name} came')",
    open_doors: "csrf_exempt(view)",
}

# Rule and file -> why it may.
ALLOWED = {
    ("formatted_scripts", "fakemodel/faults/edge_cases.py"): "its `raw` takes bytes of HTTP",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_finds_what_it_is_there_for(rule: Callable[[ast.AST], Iterator[int]]) -> None:
    assert list(rule(ast.parse(RULES[rule])))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_source_keeps_the_rule(rule: Callable[[ast.AST], Iterator[int]]) -> None:
    found = {
        path: lines
        for path, tree in SOURCES.items()
        if (lines := list(rule(tree))) and (rule.__name__, path) not in ALLOWED
    }
    assert not found


def test_only_the_guard_and_the_models_call_out() -> None:
    """A URL from outside must pass the guard, so nothing else makes calls."""
    allowed = {*map(str, Path("chat/http").glob("*.py")), "chat/providers/transport.py"}
    for path, tree in SOURCES.items():
        if path.startswith("chat/") and path not in allowed:
            imports = ast.unparse(tree)
            made = [
                name
                for name, _ in calls(tree)
                if name.startswith("urllib.")
                or (name.startswith("requests.") and "import requests" in imports)
            ]
            assert not made, (path, made)
