# The one image of all parts; docker-compose.yml says which part a container is.
FROM node:22-bookworm-slim AS assets
WORKDIR /branchline/webui/assets
COPY webui/assets/ ./
RUN ./build

# The engine compiled (docs/decisions/0005-compiled-engine.md): a whole package and its libraries.
FROM python:3.11-slim-bookworm AS engine
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev
WORKDIR /branchline
COPY setup/compile.py setup/compile.requirements setup/
RUN pip install --no-cache-dir --require-hashes --target /tools -r setup/compile.requirements
COPY pbx/ pbx/
COPY sipengine/ sipengine/
RUN python setup/compile.py /tools && mv /usr/local/compiled/* /compiled

FROM python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONPATH=/branchline DJANGO_SETTINGS_MODULE=pbx.settings \
    MALLOC_ARENA_MAX=2 CELERY_SKIP_CHECKS=true PBX_DATA_DIR=/data
WORKDIR /branchline
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY manage.py ./
COPY pbx/ pbx/
COPY webui/ webui/
COPY --from=engine /compiled/ ./
COPY migrations/ migrations/
COPY --from=assets /branchline/webui/static/ webui/static/
RUN python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q pbx webui sipengine migrations \
    && useradd --system --create-home --home-dir /data branchline
USER branchline
VOLUME /data
