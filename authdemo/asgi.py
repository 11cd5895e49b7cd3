"""What does an ASGI server import? The same site as `wsgi.py`, for servers that speak ASGI."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "authdemo.settings")

from authdemo.startup import refuse_insecure_configuration, start_redis

start_redis()
application = get_asgi_application()
refuse_insecure_configuration()
