"""What is not the database: settings, keys, Redis, the front ends, static files."""

import time
from collections.abc import Iterator

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core import checks
from redis import Redis, RedisError

from authjwt.conf import AuthSettings
from authjwt.fetch import FetchFailed, fetch
from authjwt.jwk import parse_key_set
from config.doctor.database import clock
from config.doctor.findings import Finding, State

PATIENCE = 3  # seconds
STATIC_FILES = ("admin/css/base.css", "ninja/swagger-ui.css")


def deployment() -> Iterator[Finding]:
    """What `manage.py check --deploy` says of the settings: secrets and their strength, hosts, cookies, origins."""
    messages = checks.run_checks(include_deployment_checks=True)
    for message in messages:
        if not message.is_silenced():
            state = State.FAIL if message.level >= checks.ERROR else State.WARN
            yield Finding(f"settings: {message.id}", state, " ".join(str(message.msg).split()), str(message.hint or ""))
    if all(message.is_silenced() for message in messages):
        yield Finding("settings", State.OK, "check --deploy has nothing against them")


def tokens() -> Iterator[Finding]:
    """Which tokens are accepted."""
    conf = AuthSettings.load()
    if conf.effective_mode is None:
        advice = "Set BETTER_AUTH_URL or BETTER_AUTH_SECRET; see manage.py check."
        yield Finding("tokens", State.FAIL, "there is no clear source of keys", advice)
        return
    secrets = ", ".join(f"{len(secret.encode())} bytes" for secret in conf.secrets)
    of_secrets = f", secrets of {secrets}" if conf.uses_secrets else ""
    expected = f"iss {' or '.join(conf.issuers) or 'anything'}, aud {' or '.join(conf.audiences) or 'anything'}"
    yield Finding("tokens", State.OK, f"mode {conf.effective_mode}{of_secrets}; {expected}")


def signing_keys() -> Iterator[Finding]:
    """The keys of Better Auth, and its clock."""
    conf = AuthSettings.load()
    if not conf.uses_jwks or not conf.jwks_url:
        yield Finding("signing keys", State.SKIP, "no JWKS is used")
        return
    try:
        document = fetch(conf.jwks_url)
        now = time.time()
        keys = parse_key_set(document.body, conf.algorithms).keys
    except (FetchFailed, ValueError) as exc:
        advice = "Is Better Auth up, with its JWT plugin, and does BETTER_AUTH_URL point to it? See check_auth."
        yield Finding("signing keys", State.FAIL, f"not to be had from {conf.jwks_url}: {exc}", advice)
        return
    if keys:
        names = ", ".join(f"{key.kid} ({' or '.join(sorted(key.algorithms))})" for key in keys)
        yield Finding("signing keys", State.OK, f"{names}, in {document.seconds * 1000:.0f} ms")
    else:
        advice = "Better Auth makes its first key with the first token: sign in once. See manage.py check_auth."
        yield Finding("signing keys", State.WARN, f"{conf.jwks_url} has no usable key", advice)
    if document.clock is not None:
        theirs = document.clock + document.age + 0.5  # a date is cut to the second
        yield clock("auth server: clock", theirs - (now - document.seconds / 2), "the auth server's")


def origins() -> Iterator[Finding]:
    """The front ends whose pages may call the API."""
    allowed = settings.CORS_ALLOWED_ORIGINS
    if allowed:
        yield Finding("origins", State.OK, f"pages of {', '.join(allowed)} may call the API")
    else:
        advice = "Set CORS_ORIGINS, unless no front end in a browser calls the API from another origin."
        yield Finding("origins", State.WARN, "pages of no origin may call the API", advice)


def redis() -> Iterator[Finding]:
    """The shared counters of the rate limit."""
    if not settings.RATE_LIMIT or (not settings.REDIS_URL and settings.ENVIRONMENT.web_concurrency == 1):
        yield Finding("redis", State.SKIP, "not needed: no rate limit, or one process")
    elif not settings.REDIS_URL:
        advice = "Set REDIS_URL, for a limit that is exact."
        message = f"without it each of {settings.ENVIRONMENT.web_concurrency} processes counts for itself"
        yield Finding("redis", State.WARN, message, advice)
    elif _answers(settings.REDIS_URL):
        yield Finding("redis", State.OK, "answers")
    else:
        advice = "Is REDIS_URL right, and is it up? Until then requests are not limited."
        yield Finding("redis", State.FAIL, "does not answer", advice)


def _answers(redis_url: str) -> bool:
    try:
        return bool(Redis.from_url(redis_url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE).ping())
    except RedisError:
        return False


def static_files() -> Iterator[Finding]:
    """The admin and Swagger UI have their looks."""
    missing = [name for name in STATIC_FILES if not finders.find(name)]
    if missing:
        yield Finding("static files", State.FAIL, f"missing: {', '.join(missing)}", "Install the locked requirements.")
    else:
        yield Finding("static files", State.OK, "those of the admin and of Swagger UI are there")


CHECKS = (deployment, tokens, signing_keys, origins, redis, static_files)
