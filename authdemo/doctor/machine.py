"""Is everything on this machine that the project needs: Python, packages, room, port, browser?"""

import http.client
import importlib.metadata
import os
import re
import shutil
import sys
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders

from authdemo import bootstrap
from authdemo.browser import find_browser
from authdemo.doctor.finding import Finding, ok, problem, warning
from authdemo.file_lock import is_locked
from authdemo.web_server import PortError, listen

PIN = re.compile(r"^([\w.-]+)(?:\[\w+\])?==([\w.]+)")
ROOM_BYTES = 200_000_000
STATIC_FILES = ("accounts/style.css", "accounts/flow_client.js", "admin/css/base.css")


def check_python() -> Finding:
    if sys.version_info < bootstrap.OLDEST:
        return problem("python", f"this is {bootstrap.version()}", "Use Python 3.11 or newer.")
    return ok("python", f"{bootstrap.version()}, in {sys.prefix}")


def check_packages() -> Finding:
    requirements = bootstrap.ROOT / "requirements.txt"
    absent = bootstrap.missing(requirements)
    fix = "Run `python3 -m authdemo.bootstrap requirements.txt`, or pip with that file."
    if absent:
        return problem("packages", f"not installed: {', '.join(absent)}", fix)
    lines = requirements.read_text().splitlines()
    pins = [match.groups() for line in lines if (match := PIN.match(line))]
    others = [
        f"{name} {has} (tested with {wanted})"
        for name, wanted in pins
        if bootstrap.is_installed(name) and (has := importlib.metadata.version(name)) != wanted
    ]
    if others:
        return warning("packages", f"other versions: {', '.join(others)}", fix)
    return ok("packages", "all of requirements.txt, in the tested versions")


def check_var() -> Finding:
    """Look whether data can be written, and whether there is room for them."""
    folder: Path = settings.VAR_DIR
    place = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    if not os.access(place, os.W_OK):
        return problem("data", f"{place} may not be written", "Set VAR_DIR to a folder of yours.")
    free = shutil.disk_usage(place).free
    if free < ROOM_BYTES:
        return problem(
            "data", f"only {free // 1_000_000} MB are free for {folder}", "Make room on that disk."
        )
    return ok("data", f"in {folder}, {free // 1_000_000_000} GB free")


def check_port() -> Finding:
    port = settings.PORT
    try:
        listen("127.0.0.1", port).close()
    except PortError as error:
        if is_locked(settings.VAR_DIR / "demo.lock") or _is_this_site(port):
            return ok("port", f"{port} is taken by this site, which runs")
        sentence, _, fix = str(error).partition(". ")
        return problem("port", sentence, f"{fix or 'Choose another PORT'}.")
    return ok("port", f"{port} is free")


def _is_this_site(port: int) -> bool:
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        caller.request("GET", "/healthz")
        return caller.getresponse().read(100).replace(b" ", b"") == b'{"status":"ok"}'
    except (OSError, http.client.HTTPException):
        return False
    finally:
        caller.close()


def check_static_files() -> Finding:
    """Look whether the files of each flow's pages are found, and collected where that is asked."""
    absent = [name for name in STATIC_FILES if finders.find(name) is None]
    if absent:
        return problem(
            "static files", f"missing: {', '.join(absent)}", "Check the project out anew."
        )
    folder = settings.STATIC_ROOT
    if folder and not (Path(folder) / STATIC_FILES[0]).exists():
        return problem(
            "static files",
            f"not collected in {folder}, which STATIC_ROOT names",
            "Run `python manage.py collectstatic`, or leave STATIC_ROOT empty.",
        )
    return ok("static files", f"collected in {folder}" if folder else "served where they lie")


def check_browser() -> Finding:
    browser = find_browser()
    if browser:
        return ok("browser", f"{browser}, for the tests")
    return warning(
        "browser",
        "none, so the browser tests are skipped",
        "Install Chromium (on Debian `sudo apt-get install chromium-headless-shell`) or Google "
        "Chrome.",
    )
