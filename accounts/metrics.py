"""How many, and how often? Counters for Prometheus, at `/metrics` where METRICS=1 turns it on.

Labels are words of this project only: user names, addresses and devices would be personal
data, and a new time series each. gunicorn runs several processes; each counts in a file
of its own (`METRICS_DIR`), and a scrape of any of them adds all files up.
"""

import logging

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

logger = logging.getLogger("authdemo.metrics")

LOGINS = Counter("authdemo_logins", "Passwords tried, by what came of it.", ["flow", "result"])
REFRESHES = Counter("authdemo_refreshes", "Credentials renewed.", ["flow"])
REUSES = Counter("authdemo_reuses", "Refresh tokens that came a second time.", ["flow"])
REVOCATIONS = Counter("authdemo_revocations", "Devices ended, by what ended them.", ["flow", "by"])
SUSPICIONS = Counter("authdemo_suspicions", "Odd uses of a login that goes on.", ["flow"])
REFUSALS = Counter("authdemo_refusals", "Requests refused, by the answer's code.", ["flow", "code"])
LINKS = Counter("authdemo_links", "E-mailed links asked for and used.", ["flow", "what"])
TOKENS = Counter("authdemo_program_tokens", "Tokens made for outside programs.", ["flow"])
STORE_ERRORS = Counter("authdemo_store_errors", "Times a store was away.", ["flow", "store"])

OF_EVENT: dict[str, tuple[Counter, dict[str, str]]] = {
    "login": (LOGINS, {"result": "success"}),
    "login_failed": (LOGINS, {"result": "failure"}),
    "login_throttled": (LOGINS, {"result": "throttled"}),
    "refresh": (REFRESHES, {}),
    "reuse": (REUSES, {}),
    "logout": (REVOCATIONS, {"by": "logout"}),
    "logout_all": (REVOCATIONS, {"by": "logout_all"}),
    "revoke": (REVOCATIONS, {"by": "revoke"}),
    "suspicion": (SUSPICIONS, {}),
    "suspicion_ended": (REVOCATIONS, {"by": "suspicion"}),
    "password_changed": (REVOCATIONS, {"by": "password_changed"}),
    "link_sent": (LINKS, {"what": "asked"}),
    "signup": (LINKS, {"what": "signup"}),
    "password_reset": (REVOCATIONS, {"by": "password_reset"}),
    "email_changed": (LINKS, {"what": "email"}),
    "token": (TOKENS, {}),
}


def count_event(kind: str, flow: str) -> None:
    """Count one event of the audit trail."""
    counter, labels = OF_EVENT[kind]
    _count(counter, flow=flow, **labels)


def count_refusal(code: str, flow: str) -> None:
    """Count one refusal of the contract, by the code that the client was told."""
    _count(REFUSALS, flow=flow, code=code)


def count_store_error(store: str, flow: str) -> None:
    """Count one time that a store (`redis`, `database`) did not do what was asked of it."""
    _count(STORE_ERRORS, flow=flow, store=store)


def _count(counter: Counter, **labels: str) -> None:
    try:
        counter.labels(**labels).inc()
    except OSError as error:
        # The file cannot be made or grown. Nobody shall be kept from logging in by that.
        logger.error("not counted: %s", type(error).__name__)


def make_directory() -> None:
    """Make the folder of the counters' files; every process that counts needs it."""
    if settings.METRICS:
        settings.METRICS_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """All counters, summed over all processes, in Prometheus' text format; 404 if turned off."""
    if not settings.METRICS:
        raise Http404
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
