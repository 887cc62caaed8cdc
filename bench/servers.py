"""The FastAPI servers that Parley is compared with."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from project.runner.healthcheck import free_port, is_healthy
from project.runner.process import Program
from tests.harness.processes import Process

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def fastapi_server(client: str, model_url: str) -> Iterator[Process]:
    """Run `bench.fastapi_app` with one uvicorn worker, like Parley's web process."""
    port = free_port()
    program = Program(
        name=f"fastapi-{client}",
        argv=(
            *(sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT)),
            *("bench.fastapi_app:app", "--host", "127.0.0.1", "--port", str(port)),
            "--no-access-log",
        ),
        env={**os.environ, "MODEL_URL": f"{model_url}/v1", "CLIENT": client},
        is_ready=partial(is_healthy, f"http://127.0.0.1:{port}/docs"),
        stop_timeout=2.0,
    )
    directory = Path(os.environ["PARLEY_HOME"])
    server = Process(program, directory / f"{program.name}.log", url=f"http://127.0.0.1:{port}")
    try:
        yield server.start()
    finally:
        server.ensure_stopped()
