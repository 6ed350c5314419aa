"""Django's settings, all of them from the typed environment."""

from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from authjwt import conf as authjwt_conf
from config import environment, logging

ENVIRONMENT = environment.read()

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
MAX_BODY_BYTES = ENVIRONMENT.max_body_bytes
RATE_LIMIT = ENVIRONMENT.rate_limit
REDIS_URL = ENVIRONMENT.redis_url

# Reachable under a name of its own means deployed, and deployed means behind TLS.
DEPLOYED = not DEBUG and not set(ALLOWED_HOSTS) <= {"localhost", "127.0.0.1", "[::1]"}

INSTALLED_APPS = [
    "config",
    "authjwt",
    "tasks",
    "ninja",  # Swagger UI's files, so that /docs needs no CDN
    "corsheaders",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "config.middleware.request_line",
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "config.middleware.http_semantics",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.admission",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def database(url: str | None) -> dict[str, Any]:
    """Connection settings of a URL; of the embedded PostgreSQL, whose address is only known once it runs, without."""
    parsed: dict[str, Any] = dict(dj_database_url.parse(url)) if url else {"NAME": "tasks", "EMBEDDED": True}
    parsed["OPTIONS"] = {"connect_timeout": 3, "application_name": "tasks-api"} | parsed.get("OPTIONS", {})
    return parsed | {
        "ENGINE": "config.postgresql",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,  # a pooler in transaction mode forgets them between statements
    }


# `default` serves the API; `operator` is the connection of migrations, the admin and the commands (config.routers).
DATABASES = {
    "default": database(ENVIRONMENT.database_url),
    "operator": database(ENVIRONMENT.database_url_unpooled or ENVIRONMENT.database_url)
    | {"TEST": {"MIRROR": "default"}},
}
DATABASE_ROUTERS = ["config.routers.OperatorRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

try:
    AUTHJWT = authjwt_conf.from_environment(ENVIRONMENT)
except ImproperlyConfigured as exc:
    raise SystemExit(f"The environment is not usable:\n  {exc}") from None

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

CORS_ALLOWED_ORIGINS = list(ENVIRONMENT.cors_origins)
CORS_URLS_REGEX = r"^/(?!admin/)"
CORS_ALLOW_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
CORS_ALLOW_HEADERS = ["authorization", "content-type", "x-request-id", "traceparent"]
CORS_EXPOSE_HEADERS = [
    "Allow",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
]

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # serves the admin and Swagger UI without a collectstatic step
WHITENOISE_AUTOREFRESH = False

CSRF_FAILURE_VIEW = "config.errors.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000  # sent over TLS only
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if DEPLOYED else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = DEPLOYED
X_FRAME_OPTIONS = "DENY"
# A redirect would answer a token that was already sent in the clear: the proxy that ends TLS refuses plain HTTP.
SILENCED_SYSTEM_CHECKS = ["security.W008"]

LOGGING_CONFIG = None
logging.configure(level=ENVIRONMENT.log_level, form=ENVIRONMENT.log_format)
