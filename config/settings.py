"""Django's settings, all of them from the typed environment."""

from django.core.exceptions import ImproperlyConfigured

from authjwt import conf as authjwt_conf
from config import databases, environment, logging

ENVIRONMENT = environment.read()

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
MAX_BODY_BYTES = ENVIRONMENT.max_body_bytes
CLIENT_TIMEOUT = ENVIRONMENT.client_timeout
RATE_LIMIT = ENVIRONMENT.rate_limit
REDIS_URL = ENVIRONMENT.redis_url
TRUSTED_PROXY_HOPS = ENVIRONMENT.trusted_proxy_hops

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
    "django.contrib.humanize",  # 1,000,000 rather than 1000000
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    *(["config.metrics.requests"] if ENVIRONMENT.metrics_port else []),
    # Outermost, so that no answer goes without what they add.
    "config.middleware.security_headers",
    "config.middleware.request_line",
    "config.middleware.cors",
    "config.middleware.http_semantics",
    "config.middleware.admission",
    "config.routing.straight_to_the_api",
    # For the rest: operators' pages and files.
    "config.static.Middleware",
    "config.middleware.operators_connections",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

LOGIN_REDIRECT_URL = "admin:index"
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "config.formats"

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

DATABASES = databases.connections(ENVIRONMENT.database_url, ENVIRONMENT.database_url_unpooled)
DATABASE_ROUTERS = ["config.routers.OperatorRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

try:
    AUTHJWT = authjwt_conf.from_environment(
        better_auth_jwt_mode=ENVIRONMENT.better_auth_jwt_mode,
        better_auth_secret=ENVIRONMENT.better_auth_secret,
        better_auth_secrets=ENVIRONMENT.better_auth_secrets,
        better_auth_url=ENVIRONMENT.better_auth_url,
        better_auth_jwks_url=ENVIRONMENT.better_auth_jwks_url,
        better_auth_issuer=ENVIRONMENT.better_auth_issuer,
        better_auth_audience=ENVIRONMENT.better_auth_audience,
    )
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
CORS_ALLOW_HEADERS = [
    "authorization",
    "content-type",
    "x-request-id",
    "traceparent",
    "idempotency-key",
    "if-match",
    "if-none-match",
]
CORS_EXPOSE_HEADERS = [
    "Allow",
    "Content-Disposition",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
]

STATIC_URL = "/static/"
# `manage.py collectstatic` fills this folder with compressed files of hashed names, which are cached for good; an
# image is built with it. Without, files are served as they lie in their packages, and cached for a minute.
STATIC_ROOT = environment.BASE_DIR / ".static"
STORAGES = {"staticfiles": {"BACKEND": "config.static.Storage"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False

CSRF_FAILURE_VIEW = "config.errors.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if DEPLOYED else None
# Operators' cookies. `__Host-`: browsers take them from this host only, over TLS only, and send them to no other.
_PREFIX = "__Host-" if DEPLOYED else ""
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_PREFIX}sessionid", f"{_PREFIX}csrftoken"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = DEPLOYED
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 8 * 3600  # a working day, and not beyond the end of the browser
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
# What Django's two middlewares do, config.middleware.security_headers does, but for a redirect to TLS: it would answer
# a token that was already sent in the clear. The proxy that ends TLS refuses plain HTTP.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002"]

LOGGING_CONFIG = None
logging.configure(level=ENVIRONMENT.log_level, form=ENVIRONMENT.log_format)
