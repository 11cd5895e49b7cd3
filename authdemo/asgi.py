"""What does an ASGI server import? The same site as `wsgi.py`, for servers that speak ASGI."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "authdemo.settings")

from authdemo.handlers import Utf8ASGIHandler
from authdemo.startup import refuse_insecure_configuration, start_redis, tell_flows

start_redis()
django.setup(set_prefix=False)
application = Utf8ASGIHandler()
refuse_insecure_configuration()
tell_flows()
