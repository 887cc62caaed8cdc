# One image for everything. Without REDIS_URL, it starts all of Parley; docker-compose.yml sets
# REDIS_URL and the commands of worker and model.
FROM python:3.13-slim AS packages

# `--build-arg EXTRAS=tracing` installs OpenTelemetry (docs/monitoring.md).
ARG EXTRAS=""
WORKDIR /build
COPY pyproject.toml constraints.txt ./
# This installs the dependencies and the command `parley`, without modules (see pyproject.toml).
RUN python -m venv /opt/parley \
    && /opt/parley/bin/pip install --no-cache-dir --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}" \
    && /opt/parley/bin/pip uninstall --yes pip


FROM python:3.13-slim

ENV PATH=/opt/parley/bin:$PATH \
    PARLEY_HOME=/var/lib/parley \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/srv/parley \
    PYTHONUNBUFFERED=1

RUN useradd --system --uid 10001 --no-create-home parley \
    && install --directory --owner parley --group parley --mode 0700 /var/lib/parley

COPY --from=packages /opt/parley /opt/parley
WORKDIR /srv/parley
COPY manage.py celery_app.py ./
COPY project project
COPY chat chat
COPY fakemodel fakemodel
COPY parley_client parley_client
# An empty PARLEY_HOME means the default, .parley here, which only root could create.
RUN python -m compileall -q . \
    && python manage.py compressstatic \
    && ln -s "$PARLEY_HOME" .parley

USER 10001
EXPOSE 8000
VOLUME /var/lib/parley

CMD ["python", "-m", "project.runner.container"]
