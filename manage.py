#!/usr/bin/env python3
"""How is this project run? `python3 manage.py demo` sets up and serves; `help` lists the rest."""

import os
import sys

from authdemo import bootstrap

WITHOUT_REDIS = {
    "benchmark",  # starts one of its own
    "check",
    "collectstatic",
    "compilemessages",
    "demo",  # starts it itself, and says what it took
    "diffsettings",
    "doctor",  # looks at what runs, and changes nothing
    "help",
    "makemigrations",
    "makemessages",
    "migrate",
    "showmigrations",
    "spectacular",
    "sqlmigrate",
    "version",
}


def main() -> None:
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "authdemo.settings")
    if command == "demo":
        bootstrap.enter("requirements.txt")
        os.environ["LAB"] = "1"
    else:
        bootstrap.require("requirements.txt")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        bool(settings.INSTALLED_APPS)
    except ImproperlyConfigured as error:
        sys.exit(f"The configuration is refused: {error}")

    if command not in WITHOUT_REDIS and not command.startswith("-"):
        from authdemo.startup import start_redis

        start_redis()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
