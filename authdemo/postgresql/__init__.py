"""Django's PostgreSQL backend, with an end to every wait of a request: see `base.py`."""
