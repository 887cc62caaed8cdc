"""The FastAPI servers that Parley is compared with, and HAProxy in front of web processes."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from project.runner.healthcheck import free_port, is_healthy
from project.runner.process import Program
from tests.harness.documented_proxies import FILES
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


@contextmanager
def haproxy(directory: Path, urls: list[str], *, connections: int = 2000) -> Iterator[Process]:
    """Run HAProxy with the file of docs/haproxy.md, but without TLS.

    Raises:
        FileNotFoundError: HAProxy is not installed.
    """
    path = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        raise FileNotFoundError("HAProxy is not installed: run make tools.")
    port = free_port()
    text = FILES["/etc/haproxy/haproxy.cfg"]
    text = re.sub(r"bind :443 .*", f"bind 127.0.0.1:{port}", text)
    text = text.replace("maxconn 20000", f"maxconn {connections}")
    # A client of the load posts again after a streamed reply, on the same connection. By then, the
    # web process has closed a reused one, and HAProxy would close that of the client.
    kept = "timeout queue 5s\n    timeout http-keep-alive 75s\n    option http-server-close"
    text = text.replace("timeout queue 5s", kept)
    servers = [f"server web{i} {urlsplit(url).netloc}" for i, url in enumerate(urls)]
    text = text.replace("server web0 127.0.0.1:8000", "\n".join(servers))
    configuration = directory / "haproxy.cfg"
    configuration.write_text(text)
    program = Program(
        name="haproxy",
        argv=(path, "-db", "-f", str(configuration)),
        env={},
        is_ready=partial(is_healthy, f"http://127.0.0.1:{port}/ready"),
        stop_timeout=1.0,
    )
    proxy = Process(program, directory / "haproxy.log", url=f"http://127.0.0.1:{port}")
    try:
        yield proxy.start()
    finally:
        proxy.ensure_stopped()
