"""Who can log in to the demo? These four, each with the password `<name>-demo-password`."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User

DEMO_USERS: dict[str, dict[str, Any]] = {
    "ada": {"display_name": "Ada Lovelace", "email": "ada@example.org"},
    "grace": {"display_name": "Grace Hopper", "email": "grace@example.org"},
    "mallory": {"display_name": "Mallory", "email": "mallory@example.org"},
    "admin": {
        "display_name": "Admin",
        "email": "admin@example.org",
        "is_staff": True,
        "is_superuser": True,
    },
}


def demo_password(username: str) -> str:
    """The published password of a demo user."""
    return f"{username}-demo-password"


class Command(BaseCommand):
    help = "Make the demo users ada, grace, mallory and admin; those that exist are kept."

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.DEBUG or settings.LAB):
            raise CommandError(
                "Demo users have published passwords, so they are made only with LAB=1 or DEBUG=1."
            )
        for username, fields in DEMO_USERS.items():
            user, created = User.objects.get_or_create(username=username, defaults=fields)
            if created:
                user.set_password(demo_password(username))
                user.save()
                self.stdout.write(f"Made {username}.")
