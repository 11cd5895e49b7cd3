"""Is this deployment's configuration safe: secrets, keys, cookies, the lab?"""

import os
import stat
from pathlib import Path

from django.conf import settings
from django.core import checks

from accounts.management.commands.make_demo_users import DEMO_USERS, demo_password
from accounts.models import User
from authdemo.doctor.finding import Finding, ok, problem, warning
from authdemo.doctor.services import Services

LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
ERROR = checks.ERROR


def check_settings() -> Finding:
    """Run Django's system checks, ours among them."""
    found = [message for message in checks.run_checks() if message.level >= ERROR]
    if found:
        first = found[0]
        return problem("settings", f"{first.id}: {first.msg}", first.hint or "See manage.py check.")
    return ok("settings", "pass the system checks")


def check_secret_key() -> Finding:
    file: Path = settings.VAR_DIR / "secret_key"
    if len(settings.SECRET_KEY) < 50:
        return problem(
            "secret key", "shorter than 50 characters", "Leave SECRET_KEY empty: one is made."
        )
    if not file.exists() or file.read_text().strip() != settings.SECRET_KEY:
        return ok("secret key", "given by SECRET_KEY, long enough")
    if is_open_to_others(file):
        return problem("secret key", f"others can read {file}", f"Run `chmod 600 {file}`.")
    return ok("secret key", f"made for this checkout, private in {file}")


def check_jwt_keys() -> Finding:
    folder: Path = settings.JWT_KEYS_DIR
    if not folder.exists():
        return ok("jwt keys", "made at first use")
    keys = sorted(folder.glob("*.pem"))
    exposed = [path for path in keys if is_open_to_others(path)]
    if exposed:
        return problem("jwt keys", f"others can read {exposed[0]}", f"Run `chmod -R go= {folder}`.")
    return ok("jwt keys", f"{len(keys)} private in {folder}")


def is_open_to_others(path: Path) -> bool:
    # Windows keeps no such bits; a user's own folder is private there.
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def check_cookies() -> Finding:
    public = sorted(set(settings.ALLOWED_HOSTS) - LOOPBACK)
    if settings.COOKIE_SECURE and (settings.HTTPS or not public):
        scheme = "HTTPS" if settings.HTTPS else "plain HTTP on this machine, which browsers allow"
        return ok("cookies", f"Secure, over {scheme}")
    if settings.COOKIE_SECURE:
        return warning(
            "cookies",
            f"Secure, so browsers do not send them to http://{public[0]}",
            "Serve by HTTPS and set HTTPS=1.",
        )
    if settings.HTTPS:
        return problem("cookies", "not Secure although the site is HTTPS", "Set COOKIE_SECURE=1.")
    return warning(
        "cookies",
        "not Secure: who listens on the network can log in",
        "Use HTTPS; COOKIE_SECURE=1.",
    )


def check_lab(services: Services) -> Finding:
    public = sorted(set(settings.ALLOWED_HOSTS) - LOOPBACK)
    if settings.LAB and public:
        return problem(
            "lab", f"on, and the site answers for {public[0]}: anybody can log in", "Set LAB=0."
        )
    if settings.LAB:
        return ok("lab", "on, for this machine only")
    if not services.database_problem and public:
        known = _demo_users()
        if known:
            return problem(
                "lab",
                f"off, but {', '.join(known)} still have their published passwords",
                "Delete these users or change their passwords.",
            )
    return ok("lab", "off (`make run` turns it on for the demo)")


def _demo_users() -> list[str]:
    users = User.objects.filter(username__in=DEMO_USERS, is_active=True)
    return [user.username for user in users if user.check_password(demo_password(user.username))]
