"""What has the measured site that no other has? The floor's view, at `/api/floor/whoami/`.

Only the servers of a benchmark's own stage are started with this module (`stage.py`).
"""

from django.utils.module_loading import import_string

application = import_string("authdemo.wsgi.application")
import_string("lab.benchmark.floor.mount")()  # not before the site has its settings
