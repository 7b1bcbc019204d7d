# syntax=docker/dockerfile:1
# Two images of one code base: `--target web` has no torch, `--target worker` has all that a GPU or CPU worker needs.

FROM python:3.11-slim-bookworm AS base
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /srv/rightreasons

# The packages alone, so that a change of the code leaves these layers as they are.
FROM base AS web-packages
RUN python -m venv /opt/venv
COPY pyproject.toml README.md ./
RUN mkdir app worker && touch app/__init__.py worker/__init__.py
RUN --mount=type=cache,target=/root/.cache/pip pip install --editable .

FROM web-packages AS worker-packages
RUN --mount=type=cache,target=/root/.cache/pip pip install --editable '.[worker]'

# What both images hold; /data and /models are volumes, so they must belong to the user from the start.
FROM base AS code
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin rightreasons \
    && install --directory --owner rightreasons --group rightreasons /data /models
ENV RIGHTREASONS_DATA=/data \
    RIGHTREASONS_HOST=0.0.0.0 \
    HF_HOME=/models
COPY migrations migrations
COPY templates templates
COPY translations translations
COPY static static
COPY app app
COPY worker worker

FROM code AS web
# Of these the reports as PDF are made.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fonts-dejavu-core libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=web-packages /opt/venv /opt/venv
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import *; build_opener(ProxyHandler({})).open('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["rightreasons", "web"]

FROM code AS worker
COPY --from=worker-packages /opt/venv /opt/venv
USER 10001
VOLUME /data /models
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s \
    CMD ["sh", "-c", "celery --app worker.celery inspect ping --timeout 20 --destination celery@$(hostname)"]
CMD ["rightreasons", "worker"]
