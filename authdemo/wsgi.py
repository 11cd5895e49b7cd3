"""What does a WSGI server import? `gunicorn authdemo.wsgi`, for example, serves the site."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "authdemo.settings")

from authdemo.startup import refuse_insecure_configuration, start_redis

start_redis()
application = get_wsgi_application()
refuse_insecure_configuration()
