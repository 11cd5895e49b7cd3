"""What does each way of staying logged in cost, on this machine? `manage.py benchmark` measures it."""
