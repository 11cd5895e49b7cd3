"""Who is measured, and where? Strategies of this project, peers, and of each a view for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from lab.benchmark.run import logins
from lab.benchmark.run.logins import Login
from lab.benchmark.subjects import FLOOR, PEERS_FLOOR
from lab.staging.processes import StageError
from lab.strategies import STRATEGIES

# The servers: this project; the peers as their documentation sets them up; and once more, with
# rotation and with allauth's JWT strategy, which are settings of a whole process.
SITE, PEERS, PEERS_ROTATING = "site", "peers", "peers-rotating"


@dataclass(frozen=True)
class Subject:
    """`renewing`: on which server its renewal is measured, by whether it rotates the secret."""

    key: str
    server: str
    whoami: str
    login: Callable[[str], Login]
    renewing: tuple[tuple[str, str], ...] = ()

    @property
    def has_login(self) -> bool:
        return self.login is not logins.Nobody

    @property
    def servers(self) -> set[str]:
        return {self.server, *(server for _, server in self.renewing)}


BOTH = (("off", PEERS), ("on", PEERS_ROTATING))
THEIRS = (
    Subject(PEERS_FLOOR, PEERS, "/floor/whoami/", logins.Nobody),
    Subject("django-sessions", PEERS, "/django-sessions/whoami/", logins.DjangoSessions),
    Subject("simplejwt", PEERS, "/simplejwt/whoami/", logins.SimpleJwt, BOTH),
    Subject("simplejwt-stateless", PEERS, "/simplejwt-stateless/whoami/", logins.SimpleJwt),
    Subject("knox", PEERS, "/knox/whoami/", logins.Knox),
    Subject("allauth-session", PEERS, "/allauth-session/whoami/", logins.AllauthSession),
    Subject(
        "allauth-jwt",
        PEERS_ROTATING,
        "/allauth-jwt/whoami/",
        logins.AllauthJwt,
        (("on", PEERS_ROTATING),),
    ),
    Subject("dj-rest-auth", PEERS, "/dj-rest-auth/whoami/", logins.DjRestAuth, BOTH),
)


def ours() -> tuple[Subject, ...]:
    """The floor, then every strategy, each under a contract of its own in the lab."""
    floor = Subject(FLOOR, SITE, f"/api/{FLOOR}/whoami/", logins.Nobody)
    return floor, *(contract(row.key, f"/lab/strategies/{row.key}/") for row in STRATEGIES)


def contract(key: str, path: str) -> Subject:
    login = partial(logins.Contract, path=path)
    return Subject(key, SITE, f"{path}whoami/", login, (("on", SITE),))


def every() -> tuple[Subject, ...]:
    return (*ours(), *THEIRS)


def chosen(names: Sequence[str]) -> tuple[Subject, ...]:
    """Those of these names, or all of them; raises `StageError` for a name that nobody has."""
    known = {subject.key: subject for subject in every()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise StageError(f"There is no subject {unknown[0]!r}. There are: {', '.join(known)}.")
    return tuple(known[name] for name in known if not names or name in names)
