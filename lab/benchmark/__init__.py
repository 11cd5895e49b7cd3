"""What does each way of staying logged in cost here? `manage.py benchmark` measures it."""
