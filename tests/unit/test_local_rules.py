"""Security rules that ruff and bandit do not have, checked in the source."""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from project.runner.process import ROOT

pytestmark = pytest.mark.security("S42", "S66")

# An empty collection, as written.
EMPTY = re.compile(
    r"\{\}|\[\]|(\w+\.)?(dict|list|set|deque|Counter|OrderedDict|defaultdict|Weak\w+)\(\w*\)"
)


@cache
def sources() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for folder in ("chat", "fakemodel", "project", "parley_client")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


@cache
def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    """Return each call with its function as written."""
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that are imported, and the names that are imported from modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{each.name}" for each in node.names)


def is_formatted(node: ast.expr) -> bool:
    """Return whether a string is formatted before it is passed to a function."""
    if isinstance(node, ast.JoinedStr):
        return True
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add)


def unsafe_markup(tree: ast.AST) -> Iterator[int]:
    """HTML without escaping."""
    for name, call in calls(tree):
        last = name.rpartition(".")[2]
        if last in {"mark_safe", "SafeString", "SafeText"}:
            yield call.lineno
        if last == "format_html" and (not call.args or not isinstance(call.args[0], ast.Constant)):
            yield call.lineno


def code_from_data(tree: ast.AST) -> Iterator[int]:
    """Data that is executed: code, pickles, YAML objects, shell commands."""
    run = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
    loads = {"pickle", "marshal", "shelve", "dill", "jsonpickle"}
    for name, call in calls(tree):
        is_shell = any(each.arg == "shell" for each in call.keywords)
        if name in run or name.partition(".")[0] in loads or name == "yaml.load" or is_shell:
            yield call.lineno


def open_verification(tree: ast.AST) -> Iterator[int]:
    """Disabled verification of certificates; only a setting may disable it."""
    for name, call in calls(tree):
        off = any(
            each.arg == "verify" and ast.unparse(each.value) == "False" for each in call.keywords
        )
        if off or name == "ssl._create_unverified_context":
            yield call.lineno


def compared_secrets(tree: ast.AST) -> Iterator[int]:
    """Secrets compared in a time that depends on their contents."""
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
    """Redis scripts and SQL made by formatting strings."""
    takers = {"eval", "raw", "extra", "register_script", "execute", "RawSQL"}
    for name, call in calls(tree):
        if name.rpartition(".")[2] in takers and call.args and is_formatted(call.args[0]):
            yield call.lineno


def formatted_logs(tree: ast.AST) -> Iterator[int]:
    """Log messages formatted before the logger can escape their values."""
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


def unlimited_caches(tree: ast.AST) -> Iterator[int]:
    """Caches without a limit of functions with arguments: clients that choose these fill them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.unparse(node.args):
            names = {ast.unparse(each).replace(" ", "") for each in node.decorator_list}
            if names & {"cache", "functools.cache", "lru_cache(maxsize=None)", "lru_cache(None)"}:
                yield node.lineno


def growing_globals(tree: ast.AST) -> Iterator[int]:
    """Collections of a process that start empty: clients may add to them."""
    assert isinstance(tree, ast.Module)
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if value is not None and EMPTY.fullmatch(ast.unparse(value)):
            yield node.lineno


# Rule -> an example that it must find.
RULES: dict[Callable[[ast.AST], Iterator[int]], str] = {
    unsafe_markup: "mark_safe(f'<b>{name}</b>')",
    code_from_data: "subprocess.run(line, shell=True)",
    open_verification: "requests.get(url, verify=False)",
    compared_secrets: "given_token == self.token",
    formatted_scripts: "client.eval(f'return {name}')",
    formatted_logs: "logger.info(f'{name} came')",
    open_doors: "csrf_exempt(view)",
    growing_globals: "_seen: dict[str, int] = {}",
    unlimited_caches: "@cache\ndef read(name):\n    return name",
}

# Rule and file -> why it is an exception.
ALLOWED = {
    ("formatted_scripts", "fakemodel/faults/edge_cases.py"): "its `raw` takes bytes of HTTP",
    ("growing_globals", "chat/accounts/api_keys.py"): "at most MAX_CACHED; keys that exist",
    ("growing_globals", "chat/accounts/budgets.py"): "keys of the operator",
    ("growing_globals", "chat/api/schema_serializers.py"): "classes",
    ("growing_globals", "chat/broker/background.py"): "one per event loop",
    ("growing_globals", "chat/http/client.py"): "clients in use",
    ("growing_globals", "chat/openai_api/chat_completions.py"): "tasks that run",
    ("growing_globals", "chat/providers/registry.py"): "models of the settings",
    ("growing_globals", "chat/realtime/long_poll.py"): "subscribers, removed when they end",
    ("growing_globals", "chat/realtime/snapshot_reader.py"): "one per event loop",
    ("growing_globals", "chat/store/bans.py"): "at most MAX_OPENERS",
    ("growing_globals", "chat/store/counters.py"): "emptied with each flush",
    ("growing_globals", "chat/store/loop_client.py"): "one per event loop",
    ("growing_globals", "chat/store/subscriptions.py"): "one per event loop",
    ("growing_globals", "fakemodel/imitations/imitation.py"): "classes",
    ("growing_globals", "project/server/delayed_errors.py"): "at most MAX_DELAYED",
    ("unlimited_caches", "chat/accounts/jwks.py"): "issuers of the settings",
    ("unlimited_caches", "chat/accounts/jwts.py"): "issuers of the settings",
    ("unlimited_caches", "chat/api/responses.py"): "true or false",
    ("unlimited_caches", "chat/broker/message.py"): "names of tasks",
    ("unlimited_caches", "chat/env_parsers.py"): "values of settings",
    ("unlimited_caches", "chat/operations/health.py"): "true or false",
    ("unlimited_caches", "chat/store/scripts.py"): "names of scripts",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_finds_its_example(rule: Callable[[ast.AST], Iterator[int]]) -> None:
    assert list(rule(ast.parse(RULES[rule])))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_source_follows_the_rule(rule: Callable[[ast.AST], Iterator[int]]) -> None:
    found = {
        path: lines
        for path, tree in sources().items()
        if (lines := list(rule(tree))) and (rule.__name__, path) not in ALLOWED
    }
    assert not found


def test_only_guard_and_transport_make_http_calls() -> None:
    """A URL from a client must pass the guard, so only these modules make calls."""
    libraries = {"requests", "urllib3", "urllib.request", "http.client", "aiohttp", "httpx"}
    users = {"chat/http/ssrf.py", "chat/providers/transport.py"}
    for path, tree in sources().items():
        if path.startswith("chat/"):
            imported = set(imports(tree))
            # Custom providers may use `requests`; this module maps its errors.
            assert path == "chat/providers/blocking.py" or not imported & libraries, path
            assert path in users or "chat.http.client.HTTPClient" not in imported, path
