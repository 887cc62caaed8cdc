"""Runs the commands and programs of a page."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from project.runner.process import ROOT
from tests.integration.examples.pages import Block

# Seconds for all commands of a page; other tests may keep both cores busy.
TIMEOUT = 100
# Stops a program in JavaScript whose streams never end.
NODE_TIMEOUT = 60

# Functions that replace commands: an error status fails the script, a stream of events ends with
# the first reply, and make only checks its target and keeps the variables of `make run`.
PRELUDE = """
started=0
curl() {
  case " $* " in
  *" -sN "*)
    while IFS= read -r line; do
      echo "$line"
      case "$line" in "event: message.completed"*) return ;; esac
    done < <(exec curl --max-time 60 "$@" 2> curl.log)
    return 1 ;;
  *) command curl --fail-with-body --show-error --max-time 60 "$@" ;;
  esac
}
make() {
  case "$1" in run) env -0 > "runs/$((++started))" ;; esac
  command make --directory "$ROOT" --dry-run "$@" > make.log
}
"""

IMPORT = re.compile(r"^import .*;\n", re.MULTILINE)
PACKAGE = re.compile(r'"(?:@parley/client|\./clients/js/dist/index\.js)"')


def prepare_directory(directory: Path) -> Path:
    """Make a directory look like the checkout, so that commands write their files there."""
    for path in ROOT.iterdir():
        if path.name not in {".git", ".parley", ".env"}:
            (directory / path.name).symlink_to(path)
    (directory / "runs").mkdir()
    return directory


def run(
    blocks: list[Block], directory: Path, *, env: dict[str, str], replace: dict[str, str]
) -> str:
    """Run the blocks of each language as one program; return the output of all.

    replace: what tests run instead of texts of the docs, such as addresses.
    """
    output = ""
    for language, command in commands().items():
        code = "\n".join(block.code for block in blocks if block.language == language)
        for old, new in replace.items():
            code = code.replace(old, new)
        if code:
            output += execute(command, source(language, code), directory, env)
    return output


def commands() -> dict[str, list[str]]:
    """Return the command of each language that reads a program from standard input."""
    return {
        "sh": ["bash", "-euo", "pipefail", "-s"],
        "python": [sys.executable, "-"],
        "js": ["node", "--input-type=module"],
    }


def source(language: str, code: str) -> str:
    """Return the program to run."""
    if language == "sh":
        # Commands must not read the rest of the script.
        return f"{PRELUDE}\n{{\n{code}\n}} < /dev/null\n"
    if language == "js":
        module = (ROOT / "clients/js/dist/index.js").as_uri()
        imports = dict.fromkeys(IMPORT.findall(code))
        merged = merge_imports(PACKAGE.sub(f'"{module}"', "".join(imports)))
        return merged + IMPORT.sub("", code)
    return code


def merge_imports(imports: str) -> str:
    """Return the imports with one line for each name."""
    found = re.findall(r"^import \{ (.*) \} from (.*);$", imports, re.MULTILINE)
    names = {(name, module) for group, module in found for name in group.split(", ")}
    lines = [f"import {{ {name} }} from {module};" for name, module in sorted(names)]
    rest = [line for line in imports.splitlines() if not line.startswith("import {")]
    return "\n".join([*lines, *rest]) + "\n"


def execute(command: list[str], program: str, directory: Path, env: dict[str, str]) -> str:
    """Run a program with its own process group; return its output.

    Raises:
        AssertionError: it fails; with its output.
    """
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=env | {"ROOT": str(ROOT), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(program, timeout=TIMEOUT)
    finally:
        # A stream whose reader has ended.
        stop_group(process.pid)
    assert process.returncode == 0, output
    return output


def stop_group(leader: int) -> None:
    """Kill what is left of a process group."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
