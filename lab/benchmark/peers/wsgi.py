"""What does the server of the peers import?"""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
