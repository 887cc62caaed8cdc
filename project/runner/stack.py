"""What `make run` starts on one machine, given the environment and a state directory."""

import secrets
from collections.abc import Mapping

from project.runner import commands, redis_server
from project.runner.healthcheck import free_port
from project.runner.process import Program
from project.runner.state_dir import Home

DRAIN = "3"
"""Seconds that replies continue after Ctrl-C, unless CHAT_DRAIN_TIMEOUT is set. Then they are
handed back, and resume at the next start. Everything has to end within 10 seconds."""

PACE = "40"
"""Tokens per second of the dev model; without a pace its replies would never be seen to grow."""

Stage = list[Program]


def plan(environ: Mapping[str, str], *, home: Home, port: int) -> list[Stage]:
    """Return what to start, in order, so that Parley serves on loopback `port`.

    Redis is left out when REDIS_URL names one, and the dev model when a model is configured.

    Raises:
        FileNotFoundError: a Redis is needed and no server binary is installed.
    """
    given = _filled(environ)
    env = {"CHAT_DRAIN_TIMEOUT": DRAIN, "LOG_FORMAT": "text"} | given
    env |= {"PARLEY_HOME": str(home.path), "PYTHONUNBUFFERED": "1"}
    first: Stage = []
    second: Stage = []
    made = {} if "SECRET_KEY" in given else {"SECRET_KEY": home.secret_key()}
    if "REDIS_URL" not in env:
        own, password = free_port(), secrets.token_urlsafe(24)
        first.append(commands.redis(home.redis, port=own, password=password))
        made["REDIS_URL"] = redis_server.url_of(own, password)
    if not env.keys() & {"MODEL_URL", "CHAT_MODELS_FILE"}:
        model_port = free_port()
        made |= model_variables(model_port)
        second.append(commands.fake_model("--rate", PACE, port=model_port, env=env | made))
    env |= made
    home.note(made)
    second += [commands.worker(env=env), commands.web(port=port, env=env)]
    return [stage for stage in (first, second) if stage]


def model_variables(port: int) -> dict[str, str]:
    """Return the variables that name the dev model at loopback `port`."""
    return {
        "MODEL_PROVIDER": "openai",
        "MODEL_URL": f"http://127.0.0.1:{port}/v1",
        "MODEL_NAME": "fake-model",
    }


def _filled(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that hold something; an empty one means its default."""
    return {name: value for name, value in environ.items() if value}
