"""The FastAPI servers that Parley is compared with, and HAProxy in front of other servers."""

import json
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
from tests.harness.documented_proxies import CERTIFICATE, FILES
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
def haproxy(
    directory: Path, urls: list[str], *, connections: int = 2000, name: str = "haproxy"
) -> Iterator[Process]:
    """Run HAProxy with the file of docs/haproxy.md, but without TLS.

    Raises:
        FileNotFoundError: HAProxy is not installed.
    """
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
    with _run_haproxy(directory / f"{name}.cfg", text, f"http://127.0.0.1:{port}") as proxy:
        yield proxy


@contextmanager
def tls_proxy(directory: Path, url: str) -> Iterator[Process]:
    """Run HAProxy in front of a model at an http: URL, with `CERTIFICATE`.

    Raises:
        FileNotFoundError: HAProxy is not installed.
    """
    port = free_port()
    text = f"""
global
    maxconn 8000
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 300s
listen model
    bind 127.0.0.1:{port} ssl crt {CERTIFICATE}
    server model {urlsplit(url).netloc}
"""
    proxy_url = f"https://127.0.0.1:{port}"
    with _run_haproxy(directory / "tls.cfg", text, proxy_url, f"tcp://127.0.0.1:{port}") as proxy:
        yield proxy


@contextmanager
def _run_haproxy(configuration: Path, text: str, url: str, probe: str = "") -> Iterator[Process]:
    """Run HAProxy with this configuration.

    probe: the URL that shows that it is ready; by default, `url` with `/ready`.
    """
    path = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        raise FileNotFoundError("HAProxy is not installed: run make tools.")
    configuration.write_text(text)
    program = Program(
        name=configuration.stem,
        argv=(path, "-db", "-f", str(configuration)),
        env={},
        is_ready=partial(is_healthy, probe or f"{url}/ready"),
        stop_timeout=1.0,
    )
    proxy = Process(program, configuration.with_suffix(".log"), url=url)
    try:
        yield proxy.start()
    finally:
        proxy.ensure_stopped()


def many_turns(directory: Path, model_url: str, turns: int, **options: object) -> dict[str, str]:
    """Return settings with which a worker runs this number of turns, each with a call to the model.

    options: of the model's entry.
    """
    model = {"provider": "openai", "url": f"{model_url}/v1", "model": "fake-model"}
    entry = {**model, "pool_size": turns, **options}
    path = directory / "models.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in entry.items()]
    path.write_text("\n".join(["[default]", *lines, ""]))
    return {"CHAT_MODELS_FILE": str(path), "CHAT_WORKER_CONCURRENCY": str(turns)}
