"""The programs that `make run` starts, given the environment and a state directory."""

import secrets
from collections.abc import Mapping

from project.runner import commands, redis_server
from project.runner.healthcheck import free_port
from project.runner.process import Program
from project.runner.state_dir import StateDir

# Seconds for which replies continue after Ctrl-C, unless CHAT_DRAIN_TIMEOUT is set. Then the worker
# requeues them, and the next run continues them. Everything must stop within 10 seconds.
DRAIN_TIMEOUT = "3"
# Tokens per second of the fake model. Without a rate, its replies would appear all at once.
TOKENS_PER_SECOND = "40"

Stage = list[Program]


def plan(
    environ: Mapping[str, str],
    *,
    state_dir: StateDir,
    port: int,
    host: str = commands.LOOPBACK,
) -> list[Stage]:
    """Return the programs to start, in order, for a Parley on `host` and `port`.

    Redis is left out if REDIS_URL is set, and the fake model if a model is configured.

    Raises:
        FileNotFoundError: a Redis is needed and no server binary is installed.
    """
    given = _without_empty(environ)
    env = {"CHAT_DRAIN_TIMEOUT": DRAIN_TIMEOUT, "LOG_FORMAT": "text"} | given
    env |= {"PARLEY_HOME": str(state_dir.path), "PYTHONUNBUFFERED": "1"}
    first: Stage = []
    second: Stage = []
    generated = {} if "SECRET_KEY" in given else {"SECRET_KEY": state_dir.secret_key()}
    if "REDIS_URL" not in env:
        redis_port, password = free_port(), secrets.token_urlsafe(24)
        first.append(commands.redis(state_dir.redis, port=redis_port, password=password))
        generated["REDIS_URL"] = redis_server.build_url(redis_port, password)
    if not env.keys() & {"MODEL_URL", "CHAT_MODELS_FILE"}:
        model_port = free_port()
        generated |= fake_model_env(model_port)
        model_env = env | generated
        second.append(
            commands.fake_model("--rate", TOKENS_PER_SECOND, port=model_port, env=model_env)
        )
    env |= generated
    state_dir.write_run_env(generated)
    second += [commands.worker(env=env), commands.web(port=port, env=env, host=host)]
    return [stage for stage in (first, second) if stage]


def fake_model_env(port: int) -> dict[str, str]:
    """Return the variables that configure the fake model at loopback `port`."""
    return {
        "MODEL_PROVIDER": "openai",
        "MODEL_URL": f"http://127.0.0.1:{port}/v1",
        "MODEL_NAME": "fake-model",
    }


def _without_empty(environ: Mapping[str, str]) -> dict[str, str]:
    """Drop empty variables: they mean the default."""
    return {name: value for name, value in environ.items() if value}
