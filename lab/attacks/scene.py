"""What is an attack given to work with? People, their requests written down, and the stage.

Every cell of the matrix has a scene of its own, with accounts that nobody else uses, so that
attacks do not disturb each other and may run at the same time.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx

from lab.attacks.attack import Exchange, Outcome, Source, Verdict
from lab.attacks.evidence import exchange_of, shown
from lab.attacks.held import held_by
from lab.attacks.person import Person
from lab.attacks.stage import Stage
from lab.strategies import Strategy

# A race has dozens of the same requests: the first ones tell it all.
MOST_EXCHANGES = 24


class Scene:
    """One attack on one strategy."""

    def __init__(self, stage: Stage, strategy: Strategy) -> None:
        self.stage, self.strategy = stage, strategy
        self.base_url = stage.url
        self.ids: dict[str, int] = {}
        """The number of each person's account, by the name in the story."""
        self.people: list[Person] = []
        self._told: list[tuple[Exchange, str]] = []
        self._telling = threading.Lock()

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings of the server that are not as the site comes."""
        return self.stage.environment

    # --- who takes part ------------------------------------------------------------------------

    def person(self, name: str) -> Person:
        """Somebody with a new account on the site, not logged in."""
        username = f"{name}-{secrets.token_hex(4)}"
        password = self.stage.password
        self.ids[name] = self.stage.inside.call("make_user", username=username, password=password)
        return self.client(name, username)

    def client(self, name: str, username: str = "") -> Person:
        """A client with an empty jar: another browser, or somebody without an account."""
        person = Person(
            self.base_url,
            self.strategy.key,
            under=self.strategy.under,
            name=name,
            username=username,
            password=self.stage.password,
            record=self._record,
        )
        self.people.append(person)
        return person

    def thief_of(self, victim: Person) -> Person:
        """Mallory with a copy of all that the victim's client holds at this moment."""
        mallory = self.client("mallory", victim.username)
        mallory.copy_from(victim)
        return mallory

    def sign(self, token: str, *, header: Any = None, claims: Any = None) -> str:
        """That token, changed and signed by the site's own key."""
        changes = {"header": header or {}, "claims": claims or {}}
        text: str = self.stage.inside.call("sign", token=token, **changes)
        return text

    # --- what comes of it ----------------------------------------------------------------------

    def succeeds(self, lesson: str) -> Outcome:
        return Outcome(Verdict.SUCCEEDS, lesson, self.evidence())

    def stopped(self, lesson: str, held: Source | None = None) -> Outcome:
        """`held` where the server's log cannot say it, because nothing was refused."""
        evidence = self.evidence()
        return Outcome(Verdict.STOPPED, lesson, evidence, held or held_by(evidence, self.strategy))

    def does_not_apply(self, lesson: str) -> Outcome:
        return Outcome(Verdict.DOES_NOT_APPLY, lesson, self.evidence())

    def evidence(self) -> tuple[Exchange, ...]:
        """What went over the wire, with what the server's log says of each refusal."""
        with self._telling:
            told = self._told[:MOST_EXCHANGES]
        return tuple(self._explained(exchange, known_as) for exchange, known_as in told)

    def note(self, who: str, note: str) -> None:
        """A step that is no request: what an admin does, or a thief with a dump."""
        with self._telling:
            self._told.append((Exchange(who, "", "", note, 0), ""))

    def close(self) -> None:
        """Everybody hangs up."""
        for person in self.people:
            person.http.close()

    def _explained(self, exchange: Exchange, request_id: str) -> Exchange:
        if not request_id or exchange.status < 400:
            return exchange
        return replace(exchange, cause=shown(self.stage.log.cause(request_id)))

    def _record(
        self, who: str, note: str, request: httpx.Request, response: httpx.Response | None
    ) -> None:
        known_as = response.headers.get("X-Request-ID", "") if response is not None else ""
        exchange = exchange_of(who, note, request, response)
        with self._telling:
            self._told.append((exchange, known_as))
