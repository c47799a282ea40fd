"""Django's settings, all derived from `pbx.environment`; docs/operations.md lists the variables."""

from __future__ import annotations

import secrets
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from csp.constants import NONE, SELF

from pbx.environment import PROJECT, BadEnvironment, current

try:
    ENVIRONMENT: Final = current()
except BadEnvironment as bad:
    raise SystemExit("\n".join(bad.lines)) from None


def database(url: str) -> dict[str, Any]:
    """Django's form of a Postgres URL; `?host=/directory` names a Unix socket's directory."""
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    host = options.pop("host", "") or parts.hostname or ""
    options.setdefault("connect_timeout", "5")  # a dead server is an error page, not a hung one
    options.setdefault("application_name", "branchline")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(options.pop("port", "") or parts.port or ""),
        "OPTIONS": options,
        "CONN_HEALTH_CHECKS": True,
    }


# Before the first start no key is stored yet. A key for this process alone is enough for the
# commands that run then; `up` stores one before it starts anything that signs.
SECRET_KEY = ENVIRONMENT.secret_key or secrets.token_urlsafe(48)
DEBUG = False
# Phones and people reach a PBX by any of its addresses and names; no page builds a link to send
# elsewhere from the Host header.
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = [
    "pbx.supervisor",
    "pbx.directory",
    "pbx.routing",
    "pbx.registrations",
    "pbx.calls",
    "pbx.guard",
    "pbx.subscriptions",
    "pbx.pager",
    "pbx.pagephones",
    "pbx.enginelink",
    "pbx.configfile",
    "pbx.health",
    "pbx.certificates",
    "webui.dashboard",
    "webui.webphone",
    "channels",
    "django_celery_beat",
    "django_filters",
    "axes",
    "csp",
    "webui.administration.apps.AdministrationConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIGRATION_MODULES = {
    app: f"migrations.{app}"
    for app in (
        "directory",
        "routing",
        "registrations",
        "calls",
        "guard",
        "subscriptions",
        "pager",
        "pagephones",
        "enginelink",
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "directory.Person"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "webui.access.PasswordChangeMiddleware",
    "webui.reader_zone.ReaderZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "pbx.urls"
ASGI_APPLICATION = "pbx.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": database(ENVIRONMENT.database_url)}

# Without Redis (a command while the PBX is stopped, most tests) one process is all there is.
REDIS_URL = ENVIRONMENT.redis_url
CACHES: dict[str, dict[str, Any]]
CHANNEL_LAYERS: dict[str, dict[str, Any]]
if REDIS_URL:
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    }
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

# Guessing passwords: locked after 10 wrong ones for one name from one address, for 15 minutes.
# Counted in the database, so that a restart forgives nobody.
AXES_ENABLED = ENVIRONMENT.guard
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False  # webui.dashboard.admin shows what an administrator needs of it
AXES_LOCKOUT_CALLABLE = "webui.dashboard.views.account.locked_out"

# The plain HTTP door must work too (a LAN with no certificate), so Secure is not set here:
# `pbx.cookies` sets it, with the __Host- prefix, on everything that leaves by the HTTPS door.
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024  # a configuration of 10,000 extensions is 2 MB

# 'self' in connect-src covers ws: and wss: of the same origin (CSP Level 3).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "media-src": [SELF, "blob:"],
        "connect-src": [SELF],
        "worker-src": [SELF, "blob:"],
        "font-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

STATIC_URL = "/static/"
STATIC_ROOT = PROJECT / "staticfiles"
_BUILT = PROJECT / "webui" / "static"  # made by webui/assets/build
STATICFILES_DIRS = [_BUILT] if _BUILT.is_dir() else []
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "webui.formats"

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {
        # Asked every few seconds; pbx.health tells in its own words when something changed.
        "not_health": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: "/healthz" not in record.args,
        },
        "database_away": {"()": "pbx.database_away.Scarcely"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # One line for each request is the access log's business; an operator wants the failures.
        "django.request": {"level": "ERROR", "filters": ["not_health", "database_away"]},
        "axes": {"level": "WARNING"},
        "uvicorn.error": {
            "level": "WARNING"
        },  # it tells of its sockets, which the supervisor opened
        "psycopg.pool": {"level": "ERROR"},  # tells each try; a page that fails says it once
        # A heartbeat task runs every ten seconds; failures still speak.
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
