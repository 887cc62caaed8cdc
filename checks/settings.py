""".env.example names every setting with its default."""

import re
from collections.abc import Iterator

from chat.settings import ChatSettings
from chat.settings_from_env import FILES
from checks.files import at, read

EXAMPLE = ".env.example"
READERS = ("chat/llm_config.py", "project/runner/management/commands/run.py", "project/settings.py")
READ = re.compile(r"""(?:env\.\w+\(|environ\.get\(|environ\[)\s*"([A-Z_]+)\"""")


def env_example() -> Iterator[str]:
    """No setting is missing, unknown, or listed with another default."""
    listed = dict(re.findall(r"^#([A-Z_]+)=(.*)$", read(EXAMPLE), re.MULTILINE))
    own = {f"CHAT_{name}": getattr(ChatSettings, name) for name in ChatSettings.__annotations__}
    known = own.keys() | FILES
    for path in READERS:
        found = set(READ.findall(read(path)))
        if not found:
            yield f"{at(path)}: no variables found; correct READ in checks/settings.py"
        known |= found
    for name in known - listed.keys():
        yield f"{at(EXAMPLE)}: add {name}, its default and a comment"
    # Docker Compose reads this file, too.
    known |= set(re.findall(r"\$\{([A-Z_]+)", read("docker-compose.yml")))
    for name in listed.keys() - known:
        yield f"{at(EXAMPLE, f'#{name}=')}: nothing reads {name}; remove it"
    for name, default in own.items():
        if name in listed and listed[name] != str(default):
            yield f"{at(EXAMPLE, f'#{name}=')}: the default of {name} is {default}"


CHECKS = (env_example,)
