"""Which settings does a server have that browsers visit? Those of the tests, and static files."""

from tests.settings import *  # noqa: F403
from tests.settings import MIDDLEWARE

MIDDLEWARE.insert(2, "whitenoise.middleware.WhiteNoiseMiddleware")
