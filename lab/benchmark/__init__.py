"""What does staying logged in cost, each way, on this machine? `manage.py benchmark` says it."""
