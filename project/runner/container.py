"""`python -m project.runner.container`: what the container image runs.

With REDIS_URL, this is a web process, as in docker-compose.yml. Without, it is all of Parley, with
its data in PARLEY_HOME, as `make run` starts it.
"""

import os
import sys

from project.runner.commands import web_argv

PORT = "8000"
# All addresses of the container. `docker run --publish` decides who reaches them.
HOST = "0.0.0.0"  # noqa: S104  # nosec B104
# Seconds; docker-compose.yml and Kubernetes allow more.
SHUTDOWN_TIMEOUT = 5


def argv(environ: dict[str, str]) -> tuple[str, ...]:
    """Return the command that replaces this process."""
    host, port = environ.get("HOST") or HOST, environ.get("PORT") or PORT
    if environ.get("REDIS_URL"):
        return web_argv(host=host, port=int(port), shutdown_timeout=SHUTDOWN_TIMEOUT)
    return (sys.executable, "manage.py", "run", "--host", host, "--port", port)


if __name__ == "__main__":
    command = argv(dict(os.environ))
    os.execv(command[0], command)  # nosec B606
