"""What does a WSGI server import? `gunicorn authdemo.wsgi`, for example, serves the site."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "authdemo.settings")

from authdemo.handlers import Utf8WSGIHandler
from authdemo.startup import refuse_insecure_configuration, start_redis, tell_flows

start_redis()
django.setup(set_prefix=False)
application = Utf8WSGIHandler()
refuse_insecure_configuration()
tell_flows()
