"""What do tests run with? The project's own settings, made faster where nothing is tested by it.

`conftest.py` has prepared the environment before this is imported.
"""

from authdemo.settings import *  # noqa: F403
from authdemo.settings import DATABASES, MIDDLEWARE, VAR_DIR

# It looks through all static files whenever a test makes a client. The live server of the browser
# tests serves them by Django's own handler, and `test_demo.py` by WhiteNoise, as it is deployed.
MIDDLEWARE.remove("whitenoise.middleware.WhiteNoiseMiddleware")
# Argon2 is slow on purpose; hundreds of tests log in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Surprise: SQLite's test database is in memory by default, where threads share one
    # connection and no race can be seen.
    DATABASES["default"]["TEST"] = {"NAME": VAR_DIR / "test.sqlite3"}
