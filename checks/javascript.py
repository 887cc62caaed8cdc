"""The JavaScript client: its types are those of the API, and its built files those of its sources.

`python -m checks --write` writes the types that are generated from the OpenAPI schema.
"""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from checks.files import at, read
from project.runner.process import ROOT

PACKAGE = ROOT / "clients/js"
# The file with the types, and the copy that the compiler makes of it.
TYPES = ("clients/js/src/schema.ts", "clients/js/dist/schema.d.ts")
EVENTS = "clients/js/src/events.ts"
HEADER = "/*! Generated from the OpenAPI schema: .venv/bin/python -m checks --write */\n"
# The first line of a built file.
BANNER = re.compile(rb"/\* .* from sources ([0-9a-f]{64}), content ([0-9a-f]{64}) \*/")
BASIC_TYPES = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean"}
# Its values are the names of the configured models.
CONFIGURED = {"model"}

Schema = Mapping[str, Any]


def type_of(schema: Schema) -> str:
    """Return the TypeScript type of a schema."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2].replace("NullEnum", "null")
    if "oneOf" in schema:
        return " | ".join(map(type_of, schema["oneOf"]))
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return " | ".join(_type_of_kind(kind, schema) for kind in kinds)


def _type_of_kind(kind: str, schema: Schema) -> str:
    if kind == "array":
        item = type_of(schema["items"])
        return f"({item})[]" if "|" in item else f"{item}[]"
    if kind == "object":
        return "Record<string, unknown>"
    return BASIC_TYPES.get(kind, kind)


def declaration(name: str, schema: Schema) -> str:
    """Return the TypeScript declaration of one of the API's schemas."""
    if "enum" in schema:
        choices = " | ".join(f'"{value}"' for value in schema["enum"])
        return f"export type {name} = {choices};\n"
    required = set(schema.get("required", ()))
    lines = [
        f"{_comment(field.get('description', ''), '    ')}"
        f"    {key}{'' if key in required else '?'}: {type_of(_without_choices(key, field))};\n"
        for key, field in schema.get("properties", {}).items()
    ]
    head = f"{_comment(schema.get('description', ''))}export interface {name}"
    return f"{head} {{\n{''.join(lines)}}}\n"


def _without_choices(name: str, field: Schema) -> Schema:
    return {"type": ["string", "null"]} if name in CONFIGURED and "enum" in field else field


def _comment(text: str, indent: str = "") -> str:
    """Return the first paragraph as a comment; the rest lists an enum's values."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return f"{indent}/** {paragraph} */\n" if paragraph and paragraph[0] != "*" else ""


def types() -> str:
    """Return the types of all schemas of the API."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    schema = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    schemas = schema["components"]["schemas"]
    used = {name: each for name, each in schemas.items() if name != "NullEnum"}
    return HEADER + "".join(declaration(name, schema) for name, schema in sorted(used.items()))


def write_types() -> None:
    for path in TYPES:
        (ROOT / path).write_text(types())


def generated_types() -> Iterator[str]:
    """The types are those of the OpenAPI schema."""
    expected = types()
    for path in TYPES:
        if read(path) != expected:
            yield f"{at(path)}: outdated; run .venv/bin/python -m checks --write"


def event_types() -> Iterator[str]:
    """The client has a type for every event in the docs."""
    listed = set(re.findall(r"^\| `((?:message|session)\.[a-z]+)`", read("docs/events.md"), re.M))
    typed = set(re.findall(r'"((?:message|session)\.[a-z]+)"', read(EVENTS)))
    for name in sorted(listed ^ typed):
        yield f"{at(EVENTS, name)}: {name} is missing here or in docs/events.md"


def source_hash(directory: Path) -> str:
    """Return the hash that build.js writes into the files that it builds from a directory."""
    digest = hashlib.sha256()
    names = (path.relative_to(directory).as_posix() for path in directory.rglob("*.*"))
    for name in sorted(names):
        if name.endswith((".css", ".ts")) and name != "schema.ts":  # types only
            digest.update((directory / name).read_bytes())
    return digest.hexdigest()


def built_files() -> Iterator[str]:
    """The built files were built from the sources, and not edited since.

    With Node's packages, they are also built again and compared.
    """
    for path in BUILT:
        banner, _, content = (ROOT / path).read_bytes().partition(b"\n")
        expected = source_hash(PACKAGE / "src"), hashlib.sha256(content).hexdigest()
        found = BANNER.fullmatch(banner)
        if not found or tuple(each.decode() for each in found.groups()) != expected:
            yield f"{at(path)}: not built from the sources in clients/js; run make js"
            return
    if shutil.which("node") and (PACKAGE / "node_modules").is_dir():
        result = subprocess.run(
            ["node", "build.js", "--check"],  # noqa: S607
            cwd=PACKAGE,
            capture_output=True,
            text=True,
            check=False,
        )
        yield from result.stderr.splitlines() if result.returncode else ()


# The package's modules, and the copies that Parley serves.
BUILT = (
    "clients/js/dist/index.js",
    "clients/js/dist/element.js",
    "chat/static/chat/client.js",
    "chat/static/chat/embed/parley-chat.js",
)
CHECKS = (generated_types, event_types, built_files)
