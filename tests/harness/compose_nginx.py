"""nginx with the files that docker-compose.yml mounts, without a container."""

import shutil
from functools import partial
from pathlib import Path

import pytest
import yaml

from project.runner.healthcheck import is_healthy
from project.runner.process import ROOT, Program
from tests.harness.documented_proxies import NGINX
from tests.harness.ports import free_port
from tests.harness.processes import Process


def start_nginx(directory: Path, web_port: int) -> Process:
    """Start nginx in front of a web process; skip the test if it is not installed."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        pytest.skip("nginx is not installed; run scripts/proxies")
    port = free_port()
    replaced = {
        "server web:8000 max_fails=0;": f"server 127.0.0.1:{web_port};",
        "listen 8080 default_server;": f"listen 127.0.0.1:{port};",
        "/dev/stdout": f"{directory}/log",
    }
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for mount in compose["services"]["proxy"]["volumes"]:
        source, target, _ = mount.split(":")
        path = directory / Path(target).relative_to("/etc/nginx")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / source).read_text()
        for old, new in replaced.items():
            text = text.replace(old, new)
        path.write_text(text)
    main = directory / "nginx.conf"
    main.write_text(NGINX.format(directory=directory).replace("include sites-enabled/*;", ""))
    program = Program(
        name="nginx",
        argv=(nginx, "-p", str(directory), "-c", str(main)),
        env={},
        is_ready=partial(is_healthy, f"tcp://127.0.0.1:{port}"),
        stop_timeout=5.0,
    )
    return Process(program, directory / "stdout", url=f"http://127.0.0.1:{port}").start()
