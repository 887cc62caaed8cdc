"""nginx, Caddy and HAProxy with the files of docs/nginx.md and docs/haproxy.md, on loopback.

Of these files, `REPLACED` and the address of Caddy's site are all that differs. The rest of each
server's configuration is in the files that include them: `NGINX`, `HOST` and `CADDY`.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from project.runner.healthcheck import is_healthy
from project.runner.process import ROOT, Program
from tests.harness.ports import free_port
from tests.harness.processes import Process

PAGE = (ROOT / "docs" / "nginx.md").read_text()
PAGES = PAGE + (ROOT / "docs" / "haproxy.md").read_text()
# Title or path -> contents.
FILES = dict(
    re.findall(r"^```(?:nginx|caddy|haproxy)\n# (.+)\n((?:.*\n)*?)```$", PAGES, re.MULTILINE)
)
# The variables of both `sh` blocks: those of a host, and the prefix.
VARIABLES = dict(re.findall(r"^([A-Z_]+)=(.+)$", PAGE, re.MULTILINE))
PREFIX = VARIABLES.pop("URL_PREFIX")
SITE = "/etc/nginx/sites-enabled/parley.conf"
BELOW_PATH = "/etc/nginx/sites-enabled/example.org, inside server { }"
REMOVES_PREFIX = "The location of a proxy that removes the prefix"
SHARED = [name for name in FILES if name.startswith(("/etc/nginx/conf.d", "/etc/nginx/snippets"))]
# Key and certificate for 127.0.0.1.
CERTIFICATE = ROOT / "tests" / "integration" / "providers" / "tls" / "good.pem"

# What Debian's nginx.conf has, without its paths, which need root. One process, so that killing it
# leaves none.
NGINX = """
daemon off;
master_process off;
pid {directory}/pid;
error_log stderr;
events {{}}
http {{
    sendfile on;
    tcp_nopush on;
    gzip on;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include conf.d/*.conf;
    include sites-enabled/*;
}}
"""
# The server of a host that has other sites.
HOST = """
server {{
    listen 443 ssl;
    ssl_certificate     /etc/ssl/chat.example.org.pem;
    ssl_certificate_key /etc/ssl/chat.example.org.key;
    location / {{
        return 200 "another site";
    }}
    {inside}
}}
"""
CADDY = """
{{
    admin off
    auto_https disable_redirects
    skip_install_trust
    default_bind 127.0.0.1
    storage file_system {directory}
}}
import documented
"""


class Site(StrEnum):
    """A way to serve Parley that the page documents."""

    NGINX = "nginx"
    NGINX_KEEPS_PREFIX = "nginx-keeps-prefix"
    NGINX_REMOVES_PREFIX = "nginx-removes-prefix"
    CADDY = "caddy"
    HAPROXY = "haproxy"

    @property
    def prefix(self) -> str:
        return PREFIX if "prefix" in self else ""

    @property
    def env(self) -> dict[str, str]:
        """The documented environment of the web process, for a host without a name."""
        return VARIABLES | {"ALLOWED_HOSTS": "127.0.0.1", "URL_PREFIX": self.prefix}


def start_proxy(site: Site, directory: Path, *targets: str, **replaced: str) -> Process:
    """Start the proxy of web processes at these URLs; skip the test if it is not installed.

    replaced: texts of the files, which must exist -> other texts.
    """
    directory.mkdir(parents=True)
    port = free_port()
    addresses = [urlsplit(target).netloc for target in targets]
    if site is Site.CADDY:
        argv = _caddy(directory, port, {"127.0.0.1:8000": " ".join(addresses)} | replaced)
    elif site is Site.HAPROXY:
        argv = _haproxy(directory, port, addresses, replaced)
    else:
        argv = _nginx(directory, site, _replaced(directory, port, addresses) | replaced)
    program = Program(
        name=site,
        argv=argv,
        env={"HOME": str(directory)},
        is_ready=partial(is_healthy, f"tcp://127.0.0.1:{port}"),
        stop_timeout=1.0,
    )
    url = f"https://127.0.0.1:{port}{site.prefix}"
    return Process(program, directory / "log", url=url).start()


def _replaced(directory: Path, port: int, addresses: Sequence[str]) -> dict[str, str]:
    """Return what differs on this machine: ports, certificate and the directory of logs."""
    servers = "\n".join(f"server {address} max_fails=0;" for address in addresses)
    return {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "server 127.0.0.1:8000 max_fails=0;": servers,
        "/etc/ssl/chat.example.org.pem": str(CERTIFICATE),
        "/etc/ssl/chat.example.org.key": str(CERTIFICATE),
        "/var/log/nginx/": f"{directory}/",
    }


def _nginx(directory: Path, site: Site, replaced: Mapping[str, str]) -> tuple[str, ...]:
    """Write the configuration; return the command that runs nginx with it."""
    inside = FILES[BELOW_PATH]
    if site is Site.NGINX_REMOVES_PREFIX:
        location = re.compile(r"^location /chat/ \{.*?^\}\n", re.MULTILINE | re.DOTALL)
        inside = location.sub(FILES[REMOVES_PREFIX], inside)
    server = FILES[SITE] if site is Site.NGINX else HOST.format(inside=inside)
    files = {name: FILES[name] for name in SHARED} | {SITE: server}
    for name, text in _replace(files, replaced).items():
        path = directory / Path(name).relative_to("/etc/nginx")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    main = directory / "nginx.conf"
    main.write_text(NGINX.format(directory=directory))
    return (_find("nginx"), "-p", str(directory), "-c", str(main))


def _caddy(directory: Path, port: int, replaced: Mapping[str, str]) -> tuple[str, ...]:
    """Write the configuration; return the command that runs Caddy with it."""
    site = f"https://127.0.0.1:{port} {{\n\ttls {CERTIFICATE} {CERTIFICATE}\n"
    files = {"documented": FILES["/etc/caddy/Caddyfile"], "Caddyfile": CADDY}
    for name, text in _replace(files, {"chat.example.org {\n": site, **replaced}).items():
        (directory / name).write_text(text.format(directory=directory) if text == CADDY else text)
    return (_find("caddy"), "run", "--config", str(directory / "Caddyfile"))


def _haproxy(
    directory: Path, port: int, addresses: Sequence[str], replaced: Mapping[str, str]
) -> tuple[str, ...]:
    """Write the configuration; return the command that runs HAProxy with it."""
    own = {
        "bind :443": f"bind 127.0.0.1:{port}",
        "maxconn 20000": "maxconn 2000",
        "/etc/ssl/chat.example.org.pem": str(CERTIFICATE),
        "server web0 127.0.0.1:8000": "\n".join(
            f"server web{number} {address}" for number, address in enumerate(addresses)
        ),
    }
    files = {"haproxy.cfg": FILES["/etc/haproxy/haproxy.cfg"]}
    path = directory / "haproxy.cfg"
    path.write_text(_replace(files, {**own, **replaced})["haproxy.cfg"])
    return (_find("haproxy"), "-db", "-f", str(path))


def _replace(files: Mapping[str, str], replaced: Mapping[str, str]) -> dict[str, str]:
    """Return the files with other texts. Each text must occur, so that the page stays true."""
    texts = dict(files)
    for old, new in replaced.items():
        assert any(old in text for text in files.values()), old
        texts = {name: text.replace(old, new) for name, text in texts.items()}
    return texts


def _find(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed; run scripts/proxies")
    return found
