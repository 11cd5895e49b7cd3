"""What can be wrong, and what mends it? One small check for each thing; `manage.py doctor`."""
