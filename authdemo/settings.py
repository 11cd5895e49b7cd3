"""Which values does this deployment run with? The environment decides; here each one gets its name.

The only module that reads the environment. `.env.example` explains every
variable; `manage.py check` refuses insecure and unknown ones by name.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from accounts.secret_file import read_or_create
from authdemo import embedded_redis
from authdemo.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent

# --- the environment ------------------------------------------------------------------------

env = Environment(Path(os.environ.get("ENV_FILE", BASE_DIR / ".env")))

DEBUG = env.flag("DEBUG", default=False)
LAB = env.flag("LAB", default=False)
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))
SECRET_KEY = env.str("SECRET_KEY", default="") or read_or_create(VAR_DIR / "secret_key")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_URL = env.str("SITE_URL", default="").rstrip("/")
HTTPS = env.flag("HTTPS", default=False)
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
PORT = env.int("PORT", default=8000)
WEB_WORKERS = env.int("WEB_WORKERS", default=4)
WEB_THREADS = 4  # of each worker
LOG_LEVEL = env.one_of(
    "LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), default="INFO"
)
LOG_FORMAT = env.one_of("LOG_FORMAT", ("json", "text"), default="text" if DEBUG or LAB else "json")
METRICS = env.flag("METRICS", default=LAB)
METRICS_DIR = VAR_DIR / "metrics"
# What `manage.py outage` is taking away; the lab's page shows it.
OUTAGE_FILE = VAR_DIR / "outage.json"
# While it is there, the lab's server hands out short-lived credentials.
DEMO_TIMES_FILE = VAR_DIR / "demo-times"
# Surprise: prometheus_client takes its folder from the environment alone, once, at its import.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
if METRICS:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS_DIR)

# --- what is installed ----------------------------------------------------------------------

INSTALLED_APPS = [
    "rest_framework",
    "rest_framework_simplejwt",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    # Ours come last: jwt_api puts its own admin pages in the place of SimpleJWT's.
    "accounts",
    "sessions_api",
    "jwt_api",
    "lab",
    "authdemo",
]

MIDDLEWARE = [
    "lab.receipts.middleware.ReceiptMiddleware",  # with LAB=1 only; outermost, to see all of it
    "lab.side.times.DemoTimesMiddleware",  # with LAB=1 only
    "lab.side.outages.NoDatabaseMiddleware",  # with LAB=1 only
    "authdemo.postgresql.patience.PatienceMiddleware",
    "accounts.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "accounts.middleware.PlainErrorMiddleware",
    "accounts.cookies.CookieTossingMiddleware",
    "sessions_api.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "authdemo.urls"
WSGI_APPLICATION = "authdemo.wsgi.application"
ASGI_APPLICATION = "authdemo.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context_processors.site",
            ],
        },
    },
]

# --- what is remembered where ---------------------------------------------------------------

DATABASES = {"default": env.database("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # The same, with an end to what a request waits for a server that stands still.
    DATABASES["default"]["ENGINE"] = "authdemo.postgresql"
DATABASES["default"]["ATOMIC_REQUESTS"] = env.flag("ATOMIC_REQUESTS", default=False)
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# How long a statement waits for somebody else's lock, and a connection for its server.
DATABASE_TIMEOUT_SECONDS = env.float("DATABASE_TIMEOUT_SECONDS", default=2.5)
_DATABASE_TIMEOUT_MS = int(DATABASE_TIMEOUT_SECONDS * 1000)
DATABASE_OPTIONS: dict[str, dict[str, Any]] = {
    # Surprise: SQLite's default DEFERRED transaction fails at its first write with "database is
    # locked" when another one wrote in between. IMMEDIATE waits its turn instead.
    "django.db.backends.sqlite3": {
        "transaction_mode": "IMMEDIATE",
        "timeout": DATABASE_TIMEOUT_SECONDS,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    },
    "authdemo.postgresql": {
        # libpq counts whole seconds here, two at least, and counts them anew for each address.
        "connect_timeout": max(2, int(DATABASE_TIMEOUT_SECONDS)),
        # Why not statement_timeout: a migration or a purge may well take minutes, and a server that
        # stands still measures nothing; `PatienceMiddleware` bounds what requests wait. What
        # lock_timeout does to a migration is wanted: it gives up instead of having every request
        # queue behind it. Above PostgreSQL's deadlock_timeout (1 s): a deadlock is called one.
        "options": f"-c lock_timeout={_DATABASE_TIMEOUT_MS}",
        # A server that vanished without a word: the first for a query that nobody acknowledges,
        # the others for an answer that never comes. Unix sockets need neither and ignore both.
        "tcp_user_timeout": _DATABASE_TIMEOUT_MS,
        "keepalives_idle": 1,
        "keepalives_interval": 1,
        "keepalives_count": 2,
    },
}
# What stands in the URL wins: a pooler such as PgBouncer may refuse `options`.
DATABASES["default"]["OPTIONS"] = DATABASE_OPTIONS.get(DATABASES["default"]["ENGINE"], {}) | (
    DATABASES["default"].get("OPTIONS", {})
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Empty means: the private Redis of this checkout, started when first needed.
REDIS_URL = env.str("REDIS_URL", default="")
REDIS_TIMEOUT_SECONDS = env.float("REDIS_TIMEOUT_SECONDS", default=1.0)

CACHES: dict[str, dict[str, Any]] = {
    # Nothing of the contract rests on the general cache. It is deliberately not Redis:
    # `cache.clear()` is FLUSHDB there, and would log everybody out.
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # Everything about credentials that lives in Redis: sessions, snapshots, login limits.
    "auth": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL or embedded_redis.url(VAR_DIR),
        "OPTIONS": {
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "REDIS_CLIENT_CLASS": "accounts.redis_client.QuickReadRedis",
            "SOCKET_CONNECT_TIMEOUT": REDIS_TIMEOUT_SECONDS,
            "SOCKET_TIMEOUT": REDIS_TIMEOUT_SECONDS,
        },
    },
}

# --- users and logins -----------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.ThrottledBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "sessions_pages:login"
LOGIN_REDIRECT_URL = "sessions_pages:profile"
LOGOUT_REDIRECT_URL = "home"
# attempts per window of seconds, counted in `accounts.throttling`
LOGIN_LIMIT_ACCOUNT = env.int("LOGIN_LIMIT_ACCOUNT", default=10)
LOGIN_LIMIT_NETWORK = env.int("LOGIN_LIMIT_NETWORK", default=100)
LOGIN_LIMIT_SECONDS = env.int("LOGIN_LIMIT_SECONDS", default=300)
AUDIT_DAYS = env.int("AUDIT_DAYS", default=90)

# --- lifetimes, in seconds ------------------------------------------------------------------

MINUTE, HOUR, DAY = 60, 3600, 86400
LIFETIME_PROFILES = {
    "banking": {
        "access": 5 * MINUTE,
        "refresh_idle": 15 * MINUTE,
        "session_idle": 15 * MINUTE,
        "absolute": DAY,
    },
    "default": {
        "access": 15 * MINUTE,
        "refresh_idle": 7 * DAY,
        "session_idle": 14 * DAY,
        "absolute": 30 * DAY,
    },
    "relaxed": {
        "access": 15 * MINUTE,
        "refresh_idle": 30 * DAY,
        "session_idle": 30 * DAY,
        "absolute": 90 * DAY,
    },
}
LIFETIME_PROFILE = env.one_of("LIFETIME_PROFILE", LIFETIME_PROFILES, default="default")
LIFETIMES = LIFETIME_PROFILES[LIFETIME_PROFILE]
ACCESS_SECONDS = env.int("ACCESS_SECONDS", default=LIFETIMES["access"])
REFRESH_IDLE_SECONDS = env.int("REFRESH_IDLE_SECONDS", default=LIFETIMES["refresh_idle"])
SESSION_IDLE_SECONDS = env.int("SESSION_IDLE_SECONDS", default=LIFETIMES["session_idle"])
ABSOLUTE_SECONDS = env.int("ABSOLUTE_SECONDS", default=LIFETIMES["absolute"])
GRACE_SECONDS = env.int("GRACE_SECONDS", default=10)
LEEWAY_SECONDS = env.int("LEEWAY_SECONDS", default=30)
KNOWN_DEVICE_SECONDS = env.int("KNOWN_DEVICE_SECONDS", default=180 * DAY)

# --- mail, and the links in it ----------------------------------------------------------------

EMAIL = env.email("EMAIL_URL", files=VAR_DIR / "mail")
EMAIL_BACKEND = EMAIL["EMAIL_BACKEND"]
EMAIL_FILE_PATH = EMAIL["EMAIL_FILE_PATH"]
EMAIL_HOST, EMAIL_PORT = EMAIL["EMAIL_HOST"], EMAIL["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = EMAIL["EMAIL_HOST_USER"], EMAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = EMAIL.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = EMAIL.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 5  # seconds; Django's default is to wait for ever
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default="authdemo <authdemo@localhost>")
# what an e-mailed link is for, and for how many seconds it is good
LINK_SECONDS = {
    "signup": env.int("SIGNUP_LINK_SECONDS", default=DAY),
    "reset": env.int("RESET_LINK_SECONDS", default=HOUR),
    "email": env.int("EMAIL_LINK_SECONDS", default=DAY),
}
# mails per window of seconds, counted in `accounts.throttling`
MAIL_LIMIT_ADDRESS = env.int("MAIL_LIMIT_ADDRESS", default=5)
MAIL_LIMIT_NETWORK = env.int("MAIL_LIMIT_NETWORK", default=50)
MAIL_LIMIT_SECONDS = env.int("MAIL_LIMIT_SECONDS", default=HOUR)

# --- suspicious use of a login ---------------------------------------------------------------
# What the weights of an hour (`accounts/suspicion/rules.py`) must add up to for each action; one
# that is not named is never taken. What an honest phone can come to is 65.
SUSPICION_PROFILES: dict[str, dict[str, int]] = {
    "off": {},
    "default": {"note": 5, "notify": 40, "end_device": 70},
    "strict": {"note": 5, "notify": 30, "end_device": 40, "end_all": 100},
}
SUSPICION_PROFILE = env.one_of("SUSPICION_PROFILE", SUSPICION_PROFILES, default="default")
SUSPICION = SUSPICION_PROFILES[SUSPICION_PROFILE]
NETWORK_LOOKUP = "accounts.suspicion.history.range_of"

# --- cookies: one decision for all of them ----------------------------------------------------
# `__Host-` makes the browser refuse a cookie of this name that a sibling subdomain planted, and
# costs the right to a Path narrower than "/" (ASVS 3.3.1). Chromium and Firefox accept it on
# http://127.0.0.1 and http://localhost; Safari and LAN addresses need COOKIE_SECURE=0.

COOKIE_SECURE = env.flag("COOKIE_SECURE", default=True)
COOKIE_PREFIX = "__Host-" if COOKIE_SECURE else ""

# How each request is checked. "push" answers from memory what Redis announces the changes of.
SESSION_CHECK = env.one_of("SESSION_CHECK", ("redis", "push"), default="redis")

SESSION_ENGINE = "sessions_api.engine"
SESSION_CACHE_ALIAS = "auth"
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid"
SESSION_COOKIE_AGE = SESSION_IDLE_SECONDS
SESSION_COOKIE_SECURE = COOKIE_SECURE
SESSION_COOKIE_SAMESITE: Literal["Lax"] = "Lax"

CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = COOKIE_SECURE
CSRF_COOKIE_HTTPONLY = True  # scripts get the token from /api/csrf/
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "accounts.pages.csrf_failure"

REFRESH_COOKIE_NAME = f"{COOKIE_PREFIX}refresh"
REFRESH_COOKIE_SECURE = COOKIE_SECURE
REFRESH_COOKIE_SAMESITE: Literal["Strict"] = "Strict"

KNOWN_DEVICE_COOKIE_NAME = f"{COOKIE_PREFIX}known-device"
KNOWN_DEVICE_COOKIE_SECURE = COOKIE_SECURE
KNOWN_DEVICE_COOKIE_SAMESITE: Literal["Strict"] = "Strict"

# Strategies of the lab that would get into their flow's way with its cookie.
LAB_SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}sql-sessionid"
LAB_ACCESS_COOKIE_NAME = f"{COOKIE_PREFIX}access"

# What the lab's browser attacks ask for a browser; the tests and the doctor ask the same.
FIND_BROWSER = "authdemo.browser.find_browser"

MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# --- the jwt flow ---------------------------------------------------------------------------

JWT_KEYS_DIR = VAR_DIR / "jwt-keys"
JWT_SIGNING_KEY = env.str("JWT_SIGNING_KEY", default="")
JWKS_MAX_AGE_SECONDS = env.int("JWKS_MAX_AGE_SECONDS", default=300)
# A PKCS#11 "token" is the box that holds keys. (Django hides what has TOKEN in its name.)
HSM_MODULE = env.str("HSM_MODULE", default="")
HSM_TOKEN = env.str("HSM_TOKEN", default="authdemo")
HSM_TOKEN_PIN = env.str("HSM_TOKEN_PIN", default="")
# Whether access tokens can be revoked before they expire, and how a request learns of it.
JWT_REVOCATION = env.one_of("JWT_REVOCATION", ("expiry", "lookup", "push"), default="expiry")
JWT_REVOCATION_OUTAGE = env.one_of("JWT_REVOCATION_OUTAGE", ("refuse", "accept"), default="refuse")
JWT_CLIENT_ID = "web"
# Tokens that users make for outside programs: for whom, and how long at most.
JWT_PROGRAM_AUDIENCE = env.str("JWT_PROGRAM_AUDIENCE", default="programs")
PROGRAM_TOKEN_SECONDS = env.int("PROGRAM_TOKEN_SECONDS", default=30 * DAY)
# Services that may ask whether a token is still good: `id:secret` each.
INTROSPECTION_CLIENTS = env.list("INTROSPECTION_CLIENTS", default=[])
SIMPLE_JWT = {
    "ALGORITHM": env.one_of("JWT_ALGORITHM", ("ES256", "RS256", "EdDSA"), default="ES256"),
    # Keys come from the ring in JWT_KEYS_DIR; the stock classes, which know no `kid`, get none.
    "SIGNING_KEY": "",
    "VERIFYING_KEY": "",
    "ISSUER": env.str("JWT_ISSUER", default="authdemo"),
    "AUDIENCE": env.str("JWT_AUDIENCE", default="api"),
    "LEEWAY": timedelta(seconds=LEEWAY_SECONDS),
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=ACCESS_SECONDS),
    "REFRESH_TOKEN_LIFETIME": timedelta(seconds=REFRESH_IDLE_SECONDS),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": True,
    "USER_ID_CLAIM": "sub",
    # Shorter than SimpleJWT's "token_type": an access token's payload stays within 200 bytes.
    "TOKEN_TYPE_CLAIM": "use",
    # It would put an MD5 of the password hash into every token. The epoch does its work.
    "CHECK_REVOKE_TOKEN": False,
}

# --- the API --------------------------------------------------------------------------------

# Whatever goes wrong below these paths is answered as JSON.
API_PATHS = (
    "/api/",
    "/lab/strategies/",
    "/lab/weakened/",
    "/lab/side/",
)

REST_FRAMEWORK = {
    # Deny by default: a view that names no authentication and no permission answers nobody. DRF's
    # own defaults would accept HTTP Basic on every endpoint.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["accounts.contract.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "accounts.contract.browsable.BrowsableAPIRenderer",
    ],
    "DEFAULT_SCHEMA_CLASS": "accounts.contract.schema.ContractSchema",
    "EXCEPTION_HANDLER": "accounts.contract.errors.exception_handler",
    "NUM_PROXIES": TRUSTED_PROXIES,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "authdemo",
    "DESCRIPTION": "One contract, two flows: server-side Redis sessions and JSON Web Tokens.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_PATCH": False,  # `PATCH me/` wants its field
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- what browsers are told -----------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
DATA_UPLOAD_MAX_MEMORY_SIZE = 65536
FILE_UPLOAD_HANDLERS = ["authdemo.uploads.NoUploads"]

# --- files, language, logs ------------------------------------------------------------------

STATIC_URL = "/static/"
# WhiteNoise serves the files where they lie: nothing has to be collected before a page can be
# shown. Who serves /static/ by another server names a folder here, and runs collectstatic.
WHITENOISE_USE_FINDERS = True
STATIC_ROOT = env.str("STATIC_ROOT", default="") or None
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"once": {"()": "accounts.log_format.NotToldYet"}},
    "formatters": {"line": {"()": "accounts.log_format.formatter", "shape": LOG_FORMAT}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["once"]}
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # Its own handlers would write every line once more, past the formatter.
        # Threat: its DEBUG lines quote the values of SQL statements, the hashes of passwords too.
        "django": {"handlers": [], "level": "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL},
        # Its line for each request that the lab makes of this site stands in the site's own log.
        "httpx": {"level": "WARNING"},
        "django.server": {"handlers": [], "level": "NOTSET", "propagate": True},
    },
}

# --- the end of the environment -------------------------------------------------------------

env.refuse_unknown()
ENVIRONMENT_NAMES = frozenset(env.asked)
